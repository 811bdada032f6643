#!/bin/sh
# shellcheck disable=SC2034 # the parts share these names
# The root image into memory: by turns, resumed where it broke off, checked.

told() {
    # told NAME: the number in a header of the head node's last answer.
    tr -d '\r' < "$WORK/header" | grep -i "^$1:" | head -n 1 | cut -d : -f 2 | tr -cd 0-9
}

wait_for_turn() {
    # The head node lets as many images through as its link carries, and tells the others their place in the queue.
    # To wait as long as it says is no failed attempt.
    place=$(told X-Queue-Place)
    [ -n "$place" ] || return 1
    say "image: place $place in the queue, about $(told X-Queue-Seconds) s"
    pause=$(told Retry-After)
    sleep "${pause:-5}.$(random_below 10)"
}

stream_root() {
    # Writes the image to standard output and goes on where a broken transfer ended.
    offset=0
    attempts=0
    refusals=0
    deadline=$(($(date +%s) + PATIENCE))
    while :; do
        : > "$WORK/header"
        ask --fail --dump-header "$WORK/header" --continue-at $offset --write-out '%{stderr}\n@%{size_download}@%{http_code}\n' "$PLAIN/root" \
            2> "$WORK/transfer" || :
        counts=$(grep '^@' "$WORK/transfer")
        got=${counts#@}
        got=${got%%@*}
        case ${counts##*@} in
            200 | 206) offset=$((offset + got)) ;;
            503)
                if wait_for_turn; then
                    deadline=$(($(date +%s) + PATIENCE))
                    continue
                fi
                ;;
            4??)
                ! everyone_refused || fail "the head node refuses the root image (status ${counts##*@})"
                continue
                ;;
        esac
        [ $offset -lt "$ROOT_SIZE" ] || return 0
        attempts=$((attempts + 1))
        [ "$(date +%s)" -lt $deadline ] || fail "the root image did not arrive in $PATIENCE s"
        say "image: $offset of $ROOT_SIZE bytes; attempt $attempts: $(grep -v '^@' "$WORK/transfer" | tr '\n' ' ')"
        try_on $attempts
    done
}

fetch_image() {
    # fetch_image FILE: the packed image, checked as it arrives.
    ROOT_SIZE=$(sheet root_size)
    expected=$(sheet root_sha256)
    say "image: $(sheet generation), $((ROOT_SIZE / 1048576)) MiB"
    started=$(uptime_seconds)
    found=$(stream_root | tee "$1" | sha256sum | cut -d ' ' -f 1)
    [ "$found" = "$expected" ] ||
        fail "the root image is damaged: its SHA-256 is $found, the head node promised $expected"
    say "image: complete and verified"
    report image.verified "bytes=$ROOT_SIZE" "started=$started" > /dev/null
}

fetch_root() {
    # fetch_root [KIB]: the packed image into memory, where so many KiB more are needed later.
    ROOT_SIZE=$(sheet root_size)
    check_memory $((ROOT_SIZE / 1024 + ${1:-0}))
    mount_memory provisioner-image "$WORK/image" "$((ROOT_SIZE / 1024 + 1024))k" 700
    fetch_image "$WORK/image/root"
}

mount_image() {
    # The packed image at $WORK/lower, to be read only.
    modprobe -a loop squashfs overlay 2> /dev/null
    mkdir -p "$WORK/lower"
    device=$(losetup --find --show --read-only "$WORK/image/root") || fail "no loop device for the root image"
    mount -t squashfs -o ro "$device" "$WORK/lower" ||
        fail "the kernel cannot mount the root image (squashfs with zstd missing?)"
}
