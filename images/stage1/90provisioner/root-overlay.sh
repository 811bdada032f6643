#!/bin/sh
# Root kind "overlay": the packed image in memory under a layer that takes what is written.

root_overlay() {
    fetch_root
    mount_image
    mount_layers
}

mount_layers() {
    # What is written goes to memory, over the packed root at $WORK/lower.
    size=$(argument size)
    mount_memory provisioner-upper "$WORK/upper" "${size:-50%}" 755
    mkdir "$WORK/upper/files" "$WORK/upper/work"
    LAYERS="lowerdir=$WORK/lower,upperdir=$WORK/upper/files,workdir=$WORK/upper/work"
    mount_overlay || fail "the kernel cannot mount the overlay file system"
    say "root: mounted"
}

mount_overlay() {
    mount -t overlay -o "$LAYERS" provisioner "$NEWROOT"
}
