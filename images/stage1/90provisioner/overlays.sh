#!/bin/sh
# System overlays laid over the new root.

leads_outside() {
    # leads_outside FOLDER: whether writing below FOLDER of the new root would leave it, because a link on the way
    # is absolute (here that is the root of stage 1) or climbs too high. LINK is that link.
    way=$1/
    here=
    links=0
    while [ -n "$way" ]; do
        part=${way%%/*}
        way=${way#*/}
        case $part in
            '' | .) ;;
            ..)
                [ -n "$here" ] || return 0
                here=${here%/*}
                ;;
            *)
                here=$here/$part
                [ -L "$NEWROOT$here" ] || continue
                target=$(readlink "$NEWROOT$here")
                LINK="$here -> $target"
                links=$((links + 1))
                case $target in /*) return 0 ;; esac
                # As many as the kernel follows.
                [ $links -le 40 ] || return 0
                way=$target/$way
                here=${here%/*}
                ;;
        esac
    done
    return 1
}

refuse_escapes() {
    # cpio follows links of the image to the places where it unpacks.
    cpio --list --quiet < "$WORK/system.cpio" > "$WORK/names" || fail "the system overlay cannot be read"
    while IFS= read -r name; do
        case $name in
            */*) leads_outside "${name%/*}" && fail "the overlay file $name would leave the image by its link $LINK" ;;
        esac
    done < "$WORK/names"
}

take_away_declared() {
    # Files of the image that an overlay removes; they go first, because a later overlay may bring them back.
    while IFS=$TAB read -r verb path <&4; do
        [ "$verb" = remove ] || continue
        case $path in
            */*) leads_outside "${path%/*}" && fail "the overlay removes $path, which would leave the image by its link $LINK" ;;
        esac
        rm -rf "${NEWROOT:?}/$path" || fail "the overlay cannot remove $path"
    done 4< "$WORK/manifest"
}

label_declared() {
    while IFS=$TAB read -r verb word path <&4; do
        case $verb in
            selinux) chcon --no-dereference "$word" "$NEWROOT/$path" || fail "the overlay cannot label $path $word" ;;
            capabilities) setcap "$word" "$NEWROOT/$path" || fail "the overlay cannot give $path $word" ;;
        esac
    done 4< "$WORK/manifest"
}

fetch_overlay() {
    # A secret, or an imported host key, that was set after the sheet was made is in the archive all the same: a new
    # sheet tells its digest.
    tries=0
    while :; do
        fetch_small "$(with_ticket overlay/system)" "$WORK/system.cpio"
        unseal "$WORK/system.cpio"
        found=$(sha256sum "$WORK/system.cpio" | cut -d ' ' -f 1)
        [ "$found" != "$(sheet overlay_sha256)" ] || return 0
        tries=$((tries + 1))
        [ $tries -lt 5 ] ||
            fail "the system overlay is damaged: its SHA-256 is $found, the head node promised $(sheet overlay_sha256)"
        say "overlay: not the one of the boot sheet, trying again"
        back_off $tries
        fetch_sheet
    done
}

apply_overlays() {
    fetch_overlay
    refuse_escapes
    # What no archive can carry: lines of words with tabs between (provisioner/overlay/manifest.py).
    cpio --extract --to-stdout --quiet .provisioner/overlay < "$WORK/system.cpio" > "$WORK/manifest"
    [ -z "$KEPT" ] || renew_overlays
    take_away_declared
    (cd "$NEWROOT" && cpio --extract --unconditional --make-directories --preserve-modification-time --quiet \
        --no-absolute-filenames < "$WORK/system.cpio") || fail "the system overlay cannot be unpacked"
    rm -rf "${NEWROOT:?}/.provisioner"
    take_hooks
    # Only where they are of the overlay: then no link leads elsewhere (refuse_escapes).
    [ ! -e "$WORK/hooks/$HOOKS" ] || rm -rf "${NEWROOT:?}/$HOOKS"
    label_declared
    # It holds the host key of this node.
    : > "$WORK/system.cpio"
    say "overlay: applied"
    report overlay.applied > /dev/null
}
