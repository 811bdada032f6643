#!/bin/sh
# shellcheck disable=SC2154 # dracut's variable
# A root that lasts from boot to boot: overlays of the boot before are taken off before the new ones come.
#
# KEPT is a folder on that root; `laid` in it has the paths that overlays took, a line each, and `files` what was there
# before. Both are on the disk before anything is laid, and stay until all is taken off again: a power cut at any
# moment is made good by the next boot.

exists() {
    [ -e "$1" ] || [ -L "$1" ]
}

is_folder() {
    [ -d "$1" ] && [ ! -L "$1" ]
}

take_off() {
    # Folders stay. A path that a link of the running system leads elsewhere now is left alone; so is one above the
    # root, which the list has where root of the running system wrote it.
    while IFS= read -r name; do
        case $name in
            .. | */..) continue ;;
            */*) ! leads_outside "${name%/*}" || continue ;;
        esac
        is_folder "$NEWROOT/$name" || rm -f "$NEWROOT/$name"
        exists "$KEPT/files/$name" || continue
        rm -rf "${NEWROOT:?}/$name"
        mkdir -p "$NEWROOT/$(above "$name")"
        cp -aT "$KEPT/files/$name" "$NEWROOT/$name" || fail "the overlay file $name cannot be taken off the root"
    done < "$KEPT/laid"
    # What came back needs its label of SELinux (selinux.sh).
    cp "$KEPT/laid" "$WORK/taken-off"
    sync
    rm -rf "$KEPT"
}

above() {
    # The folder that holds a path.
    case $1 in
        */*) echo "${1%/*}" ;;
        *) echo . ;;
    esac
}

put_aside() {
    # The archive's files and what the overlays remove; $WORK/names and $WORK/manifest have them.
    rm -rf "$KEPT.new"
    mkdir -p "$KEPT.new/files"
    {
        grep -vx '\.provisioner.*' "$WORK/names"
        sed -n "s/^remove$TAB//p" "$WORK/manifest"
    } > "$WORK/taken"
    while IFS= read -r name; do
        ! is_folder "$NEWROOT/$name" || grep -qxF "remove$TAB$name" "$WORK/manifest" || continue
        echo "$name" >> "$KEPT.new/laid"
        exists "$NEWROOT/$name" || continue
        mkdir -p "$KEPT.new/files/$(above "$name")"
        cp -aT "$NEWROOT/$name" "$KEPT.new/files/$name" || fail "what the overlay file $name replaces cannot be kept"
    done < "$WORK/taken"
    sync
    mv "$KEPT.new" "$KEPT"
    sync
}

renew_overlays() {
    [ ! -e "$KEPT/laid" ] || take_off
    put_aside
}
