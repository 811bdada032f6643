#!/bin/sh
# Root kind "overlay": the packed image in memory under a layer that takes what is written.

root_overlay() {
    fetch_root
    modprobe -a loop squashfs overlay 2> /dev/null
    mkdir -p "$WORK/lower" "$WORK/upper"
    device=$(losetup --find --show --read-only "$WORK/image/root") || fail "no loop device for the root image"
    mount -t squashfs -o ro "$device" "$WORK/lower" ||
        fail "the kernel cannot mount the root image (squashfs with zstd missing?)"
    mount_layers
}

mount_layers() {
    # What is written goes to memory, over the packed root at $WORK/lower.
    mount -t tmpfs -o size=50%,mode=755 provisioner-upper "$WORK/upper"
    mkdir "$WORK/upper/files" "$WORK/upper/work"
    mount -t overlay -o "lowerdir=$WORK/lower,upperdir=$WORK/upper/files,workdir=$WORK/upper/work" \
        provisioner "$NEWROOT" || fail "the kernel cannot mount the overlay file system"
    say "root: mounted"
}
