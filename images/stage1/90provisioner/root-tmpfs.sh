#!/bin/sh
# shellcheck disable=SC2034,SC2154 # the parts share these names; dracut's variable
# Root kind "tmpfs": the image unpacked in memory. Nothing of the packed image stays.

check_size() {
    # check_size SIZE KIB: a root that its own limit cuts off would be found out file by file.
    most=$(kib_of_size "$1")
    [ "$most" -ge "$2" ] ||
        fail "the unpacked root has $(($2 / 1024)) MiB and may take $((most / 1024)) MiB (root.size $1)"
}

root_tmpfs() {
    size=$(argument size)
    size=${size:-80%}
    unpacked=$(($(sheet unpacked_size) / 1024))
    check_size "$size" "$unpacked"
    fetch_root "$unpacked"
    mount_image
    mount_memory provisioner-root "$NEWROOT" "$size" 755
    # With owners, modes, times, hard links and extended attributes: capabilities and labels are such.
    cp -a "$WORK/lower/." "$NEWROOT/" 2> "$WORK/error" ||
        fail "the root image cannot be unpacked: $(head -c 300 "$WORK/error")"
    # What is in memory has no labels of SELinux yet, and what was copied none on links.
    RELABEL=everything
    umount "$WORK/lower"
    losetup --detach "$device"
    umount "$WORK/image" || fail "the packed root image cannot be let go"
    say "root: unpacked"
}
