#!/bin/sh
# Root kind "stream": the packed root block by block from the head node, each block checked, under a layer in memory.

stream_facts() {
    # What the keeper of the connection has to know (stream.pl).
    echo "root_size=$(sheet root_size)"
    echo "verity_size=$(sheet verity_size)"
    echo "verity_root=$(sheet verity_root)"
    echo "machine=$(uname -m)"
    [ -z "${STREAM_LOOP-}" ] || echo "loop=$STREAM_LOOP"
}

prepare_copy() {
    # A place in memory for the whole root, which takes none until it is filled (prov.prefetch).
    ROOT_SIZE=$(sheet root_size)
    mkdir -p "$WORK/image"
    mount -t tmpfs -o "size=$((ROOT_SIZE / 1024 + 1024))k,mode=700" provisioner-image "$WORK/image"
    truncate -s "$ROOT_SIZE" "$WORK/image/root"
    device=$(losetup --find --show --read-only "$WORK/image/root") || fail "no loop device for the root image"
    STREAM_LOOP=$(cat "/sys/block/${device##*/}/dev")
}

root_stream() {
    [ -n "$(sheet stream_port)" ] || fail "the head node does not stream this image"
    modprobe -a loop squashfs overlay nbd dm_verity 2> /dev/null
    [ -z "$(argument prefetch)" ] || prepare_copy
    (
        umask 077
        sheet stream_token > "$WORK/stream-token"
        stream_facts > "$WORK/stream"
    )
    host=$(argument url)
    host=${host#*://}
    say "image: $(sheet generation), block by block"
    if ! DEVICE=$(cd "$WORK" && perl "$STAGE1/stream.pl" start "${host%:*}" "$(sheet stream_port)" 2> "$WORK/error"); then
        fail "the root image cannot be streamed: $(head -c 300 "$WORK/error")"
    fi
    mkdir -p "$WORK/lower" "$WORK/upper"
    mount -t squashfs -o ro "$DEVICE" "$WORK/lower" 2> /dev/null || fail_streamed
    mount_layers
}

fail_streamed() {
    if (cd "$WORK" && perl "$STAGE1/stream.pl" damaged); then
        fail "the root image is damaged: a block is not what the hash tree promises"
    fi
    fail "the kernel cannot mount the root image (squashfs with zstd missing?)"
}
