#!/bin/sh
# shellcheck disable=SC2034,SC2154 # the parts share these names; dracut's variable
# Root kind "disk": the image unpacked on a disk of this node. A later boot of the same generation finds it there.
#
# Kernel line: prov.device=DEVICE prov.format=ext4|xfs and, where there are, prov.wipe=1, prov.mkfs=OPTION (several),
# prov.mount=OPTIONS, and of the disk whose table is written prov.disk=DEVICE prov.partition=FIELDS (several).

# What is kept on the disk beside the image's own files: whoever holds it is ours. `installed` in it is written last.
OURS=.provisioner-root

arguments() {
    # arguments NAME: all values of a word of the kernel line, one a line.
    getargs "prov.$1=" | tr ' ' '\n'
}

last_words() {
    tail -n 1 "$WORK/log"
}

await_device() {
    tries=0
    until [ -b "$1" ]; do
        tries=$((tries + 1))
        [ $tries -le 300 ] || fail "the disk $1 does not exist (is its driver in the image's kernel?)"
        sleep 0.1
    done
}

content() {
    # What is on a device, in words: file system or partition table, and its label. Nothing where nothing is.
    # blkid ends with 2 when it finds nothing, but also when it cannot read; with 8 when it finds several things.
    head -c 4096 "$1" > /dev/null 2>&1 || fail "the disk $1 cannot be read"
    status=0
    blkid --probe --output export "$1" > "$WORK/probe" 2> /dev/null || status=$?
    case $status in
        0) sed -n 's/^TYPE=//p; s/^PTTYPE=//p' "$WORK/probe" | head -n 1 ;;
        2) ;;
        *) echo several things ;;
    esac
}

label_of() {
    # The label that the last probe found, as a remark.
    sed -n 's/^LABEL=/ "/p' "$WORK/probe" | sed 's/$/"/' | head -n 1
}

names_in_table() {
    sfdisk --dump "$1" 2> /dev/null | sed -n 's/.*name="\([^"]*\)".*/\1/p'
}

write_table() {
    # write_table DISK [OPTION ...]: lines of sfdisk(8) on standard input become partitions.
    disk=$1
    shift
    sfdisk --quiet --wipe always --wipe-partitions always "$@" "$disk" > "$WORK/log" 2>&1 ||
        fail "the disk $disk cannot be partitioned: $(last_words)"
    udevadm settle --timeout=30
}

add_missing() {
    # A partition that somebody wrote since; what is in the others stays.
    names_in_table "$1" > "$WORK/there"
    while read -r line; do
        grep -qxF "${line##*name=}" "$WORK/there" && continue
        name=${line##*name=}
        say "disk: adds the partition $name to $1"
        echo "$line" | write_table "$1" --append
    done < "$WORK/partitions"
}

is_our_table() {
    # A GPT with at least one of the partitions that are written: told by their names.
    [ "$(content "$1")" = gpt ] || return 1
    names_in_table "$1" > "$WORK/there"
    sed 's/.*name=//' "$WORK/partitions" | grep -qxFf "$WORK/there"
}

prepare_table() {
    disk=$(argument disk)
    [ -n "$disk" ] || return 0
    await_device "$disk"
    DISK=$(readlink -f "$disk")
    arguments partition | sed 's/^number=\([0-9]*\),/\1 : /' > "$WORK/partitions"
    ! is_our_table "$DISK" || return 0
    found=$(content "$DISK")
    found=$found$(label_of)
    [ -z "$found" ] || [ -n "$(argument wipe)" ] ||
        fail "the disk $disk holds $found and stays as it is: root.wipe would overwrite it"
    say "disk: a new partition table on $disk"
    { echo 'label: gpt'; cat "$WORK/partitions"; } > "$WORK/table"
    write_table "$DISK" < "$WORK/table"
}

find_device() {
    # By name in the table that was just written: another disk may have a partition of the same name.
    DEVICE=$(argument device)
    name=${DEVICE#/dev/disk/by-partlabel/}
    if [ -n "$(argument disk)" ] && [ "$name" != "$DEVICE" ]; then
        names_in_table "$DISK" | grep -qxF "$name" || add_missing "$DISK"
        DEVICE=$(sfdisk --dump "$DISK" | grep -F "name=\"$name\"" | sed 's/ *:.*//')
    fi
    await_device "$DEVICE"
    DEVICE=$(readlink -f "$DEVICE")
}

is_empty() {
    for entry in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        case ${entry##*/} in
            '*' | '.[!.]*' | '..?*' | lost+found) ;;
            *) return 1 ;;
        esac
    done
}

look_at_device() {
    # HOLDS becomes nothing, ours, or what else it is. Nothing is written: not even its journal is replayed.
    HOLDS=$(content "$DEVICE")
    FORMAT=$HOLDS
    case $HOLDS in
        '') return 0 ;;
        ext4) look=ro,noload ;;
        xfs) look=ro,norecovery ;;
        *) return 0 ;;
    esac
    HOLDS=$HOLDS$(label_of)
    mkdir -p "$WORK/look"
    mount -t "$FORMAT" -o $look "$DEVICE" "$WORK/look" 2> /dev/null || return 0
    if [ -d "$WORK/look/$OURS" ]; then
        HOLDS=ours
    elif is_empty "$WORK/look"; then
        HOLDS=
    fi
    umount "$WORK/look"
}

mount_device() {
    options=$(argument mount)
    mount -t "$(argument format)" -o "rw,noatime${options:+,$options}" "$DEVICE" "$NEWROOT" 2> "$WORK/log"
}

is_sound() {
    # 1 and 2 of fsck(8): mended. The checker of xfs does nothing, because a mount does it.
    status=0
    "fsck.$FORMAT" -p "$DEVICE" > "$WORK/log" 2>&1 || status=$?
    [ $status -lt 4 ]
}

installed() {
    # installed KEY: what the record on the disk says.
    grep "^$1=" "$NEWROOT/$OURS/installed" 2> /dev/null | cut -d = -f 2-
}

can_reuse() {
    # WHY tells people why not.
    WHY="holds nothing yet"
    [ "$HOLDS" = ours ] || return 1
    WHY="has $FORMAT and not $(argument format)"
    [ "$FORMAT" = "$(argument format)" ] || return 1
    WHY="is damaged"
    is_sound && mount_device || return 1
    WHY="was left half-way"
    if [ -s "$NEWROOT/$OURS/installed" ]; then
        WHY="has $(installed generation)"
        [ "$(installed root_sha256)" != "$(sheet root_sha256)" ] || return 0
    fi
    umount "$NEWROOT"
    return 1
}

make_file_system() {
    begun=$(uptime_seconds)
    format=$(argument format)
    force=-F
    [ "$format" = ext4 ] || force=-f
    # A format that is broken off leaves an empty device behind, and none that looks foreign.
    wipefs --all --quiet "$DEVICE"
    arguments mkfs > "$WORK/options"
    set --
    while read -r option; do
        [ -z "$option" ] || set -- "$@" "$option"
    done < "$WORK/options"
    "mkfs.$format" -q $force "$@" "$DEVICE" > "$WORK/log" 2>&1 ||
        fail "the disk $DEVICE takes no $format: $(last_words)"
    mount_device || fail "the kernel cannot mount the $format of $DEVICE: $(last_words)"
    mkdir -m 700 "$NEWROOT/$OURS"
    # Mounted anew, so that the mark stands in its place and not in a journal.
    umount "$NEWROOT"
    mount_device || fail "the kernel cannot mount the $format of $DEVICE: $(last_words)"
    report disk.prepared "device=$DEVICE" "format=$format" "started=$begun" > /dev/null
}

check_room() {
    # The packed image lies beside the unpacked one for a while; a tenth is for blocks that are not full.
    free=$(df -P -k "$NEWROOT" | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4)
    needed=$((($(sheet root_size) + $(sheet tree_size) * 11 / 10) / 1024))
    [ "$free" -ge $needed ] ||
        fail "the disk $DEVICE is too small: $((free / 1024)) MiB free, the root needs $((needed / 1024)) MiB"
}

unpack_root() {
    mkdir -p "$WORK/lower"
    packed=$(losetup --find --show --read-only "$NEWROOT/$OURS/image") || fail "no loop device for the root image"
    mount -t squashfs -o ro "$packed" "$WORK/lower" ||
        fail "the kernel cannot mount the root image (squashfs with zstd missing?)"
    cp -a "$WORK/lower/." "$NEWROOT/" 2> "$WORK/log" ||
        fail "the root cannot be unpacked on $DEVICE: $(last_words)"
    umount "$WORK/lower"
    losetup --detach "$packed"
    rm "$NEWROOT/$OURS/image"
}

mark_installed() {
    # Last, and only when everything else has reached the disk.
    sync
    for key in generation root_sha256 boot; do
        echo "$key=$(sheet $key)"
    done > "$NEWROOT/$OURS/installed.new"
    sync
    mv "$NEWROOT/$OURS/installed.new" "$NEWROOT/$OURS/installed"
    sync
}

refuse_foreign() {
    case $HOLDS in
        '' | ours) ;;
        *)
            [ -n "$(argument wipe)" ] ||
                fail "the disk $DEVICE holds $HOLDS and stays as it is: root.wipe would overwrite it"
            ;;
    esac
}

install_root() {
    say "disk: installs $(sheet generation) on $DEVICE, which $WHY"
    make_file_system
    check_room
    begun=$(uptime_seconds)
    fetch_image "$NEWROOT/$OURS/image"
    unpack_root
    # Links were copied without their labels of SELinux.
    RELABEL=everything
    mark_installed
    report disk.installed "device=$DEVICE" "bytes=$ROOT_SIZE" "started=$begun" > /dev/null
}

check_tools() {
    # What the machine that built this stage 1 did not have.
    for program in blkid sfdisk wipefs "mkfs.$(argument format)" "fsck.$(argument format)"; do
        command -v "$program" > /dev/null ||
            fail "this stage 1 lacks $program: install it on the head node, and build the image again"
    done
}

root_disk() {
    check_tools
    modprobe -a loop squashfs "$(argument format)" 2> /dev/null
    prepare_table
    find_device
    look_at_device
    refuse_foreign
    # Not before: the table may be that of somebody whose partition has the same name.
    [ -z "$(argument disk)" ] || add_missing "$DISK"
    if can_reuse; then
        say "disk: $(installed generation) is on $DEVICE already"
        report disk.reused "device=$DEVICE" "bytes=0" > /dev/null
    else
        case $HOLDS in '' | ours) ;; *) WHY="holds $HOLDS" ;; esac
        install_root
    fi
    KEPT=$NEWROOT/$OURS/kept
    # What the agent laid down is known at the next boot too; it looks again all the same.
    mkdir -p "$NEWROOT/$OURS/runtime"
    rm -f "$NEWROOT/$OURS/runtime/applied"
    ln -s "/$OURS/runtime" "$WORK/overlay"
    say "root: mounted"
}
