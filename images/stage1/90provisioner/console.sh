#!/bin/sh
# What stage 1 says, and where it stops.

say() {
    echo "provisioner: $*" > /dev/console
    echo "<6>provisioner: $*" > /dev/kmsg
}

argument() {
    # getarg is dracut's reader of the kernel line.
    getarg "prov.$1="
}

uptime_seconds() {
    cut -d ' ' -f 1 /proc/uptime
}

random_below() {
    echo $((0x$(cut -c 1-7 /proc/sys/kernel/random/uuid) % $1))
}

back_off() {
    # Attempt N waits up to 2^N seconds, 16 at most, so that a thousand nodes do not come back all at once.
    ceiling=$((1 << ($1 < 4 ? $1 : 4)))
    sleep "$(random_below $ceiling).$(random_below 10)"
}

fail() {
    say "FAILED: $*"
    report failed "reason=$*" > /dev/null || say "the head node could not be told"
    send_log
    rescue_failed
    say "this machine restarts in 60 seconds"
    sleep 60
    sync
    # Never to return: what failed was not to be used. A kernel without this order leaves the machine standing.
    while :; do
        echo b > /proc/sysrq-trigger
        sleep 60
    done
}
