#!/bin/sh
# Memory: how much there is, and file systems that lie in it.

kib_of() {
    # kib_of NAME: a line of /proc/meminfo, in KiB.
    grep "^$1:" /proc/meminfo | tr -cd 0-9
}

kib_of_size() {
    # kib_of_size SIZE: what `50%` or `2048m` is on this machine, in KiB.
    case $1 in
        *%) echo $(($(kib_of MemTotal) * ${1%?} / 100)) ;;
        *) echo $((${1%?} * 1024)) ;;
    esac
}

spread() {
    # Where memory belongs to several processors, pages go round: else all of the root would be taken from the one
    # whose processor fetched it, and jobs bound to that one would lack it (tmpfs(5), mpol).
    set -- /sys/devices/system/node/node[0-9]*
    [ $# -lt 2 ] || echo ,mpol=interleave
}

mount_memory() {
    # mount_memory NAME FOLDER SIZE MODE
    mkdir -p "$2"
    mount -t tmpfs -o "size=$3,mode=$4$(spread)" "$1" "$2" || fail "the kernel cannot mount a file system in memory"
}

check_memory() {
    # check_memory KIB: whether so much is free, and something for stage 1 itself. What is left has to hold the system.
    available=$(kib_of MemAvailable)
    needed=$(($1 + 131072))
    [ "$available" -ge $needed ] ||
        fail "not enough memory: $((available / 1024)) MiB free, the root image needs $((needed / 1024)) MiB"
}
