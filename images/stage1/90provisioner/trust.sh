#!/bin/sh
# shellcheck disable=SC2034 # the parts share these names
# What the head node says is checked with the keys of the site, which came with this stage 1.

# The head node puts this folder behind the stage 1 that it sends (provisioner/trust/anchor.py).
SITE=${SITE:-$STAGE1/site}
TPM=${TPM:-/sys/class/tpm/tpm0}
KERNEL_LINE=${KERNEL_LINE:-/proc/cmdline}

has_keys() {
    [ -s "$SITE/key-1.pem" ]
}

line_digest() {
    # The words of the kernel line, but for what loaders add and the token (provisioner/boot/script.py). One with a
    # quote counts: it could make words of the line parts of its own value, and nobody would find those any more.
    tr -s '[:space:]' '\n' < "$KERNEL_LINE" |
        grep -v -e '^$' -e '^kernel$' -e '^BOOT_IMAGE=[^"]*$' -e '^initrd=[^"]*$' -e '^prov\.token=[^"]*$' |
        sha256sum | cut -c 1-32
}

is_signed() {
    # is_signed FILE SIGNATURE: whether one of the site's keys made it. A key that is replaced and its successor
    # are both here, so that a boot under way survives the change.
    for key in "$SITE"/key-*.pem; do
        ! openssl pkeyutl -verify -pubin -inkey "$key" -rawin -in "$1" -sigfile "$2" > /dev/null 2>&1 || return 0
    done
    return 1
}

fetch_sheet() {
    # The sheet is what everything else is measured by. The nonce makes it one of this very moment.
    nonce=$(tr -d '\n-' < /proc/sys/kernel/random/uuid)
    # Root's alone, in the running system too: the token of a stream opens the packed root, with files of root's.
    (umask 077 && : > "$WORK/answer" && : > "$WORK/sheet")
    fetch_small "$(with_ticket "sheet?nonce=$nonce")" "$WORK/answer"
    if ! has_keys; then
        mv "$WORK/answer" "$WORK/sheet"
        say "sheet: not checked, this stage 1 came without keys of the site"
        return 0
    fi
    # Only what was signed is ever read: the lines but that of the signature, in a file of their own.
    grep '^signature=' "$WORK/answer" | head -n 1 | cut -d = -f 2- | openssl base64 -d -A > "$WORK/signature"
    grep -v '^signature=' "$WORK/answer" > "$WORK/sheet"
    is_signed "$WORK/sheet" "$WORK/signature" || fail "the boot sheet is not signed by this site"
    check_sheet
    say "sheet: signed by this site for this boot"
}

check_sheet() {
    [ "$(sheet what)" = sheet ] || fail "the boot sheet is not signed as one"
    [ "$(sheet nonce)" = "$nonce" ] || fail "the boot sheet is an old one, and no answer to this boot"
    [ "$(sheet line_sha256)" = "$(line_digest)" ] || fail "the kernel line is not the one that the head node wrote"
    [ "$(sheet generation)" = "$(cat "$SITE/generation")" ] ||
        fail "the machine loaded stage 1 of $(cat "$SITE/generation"), and the head node boots $(sheet generation)"
}

measurements() {
    # What firmware and loaders measured into the TPM, where there is one: PCR 0 to 9 as KEY=VALUE.
    for register in 0 1 2 3 4 5 6 7 8 9; do
        [ ! -r "$TPM/pcr-sha256/$register" ] || echo "pcr$register=$(cat "$TPM/pcr-sha256/$register")"
    done
}
