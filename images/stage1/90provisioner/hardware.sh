#!/bin/sh
# What this machine is, for people who decide what becomes of it: lines of key=value, all of them evidence only.

hardware() {
    mainboard
    processors
    echo "memory_kib=$(grep '^MemTotal:' /proc/meminfo | tr -cd 0-9)"
    devices
    cards
    disks
}

told_hardware() {
    # The head node takes 64 lines: a machine with more disks tells the first ones.
    hardware | head -n 60
}

mainboard() {
    for each in sys_vendor product_name product_serial product_uuid board_serial chassis_asset_tag bios_version; do
        one_line "$each" "$(cat "/sys/class/dmi/id/$each" 2> /dev/null)"
    done
    firmware=bios
    [ ! -d /sys/firmware/efi ] || firmware=uefi
    echo "firmware=$firmware"
    # DMTF DSP0134, 7.39: an entry of type 38 is the interface of a management controller.
    bmc=no
    for each in /sys/firmware/dmi/entries/38-*; do
        [ ! -e "$each" ] || bmc=yes
    done
    echo "bmc=$bmc"
}

processors() {
    one_line cpu_model "$(described 'model name' | head -n 1)"
    echo "cpu_sockets=$(described 'physical id' | sort -u | grep -c .)"
    echo "cpu_threads=$(grep -c '^processor' /proc/cpuinfo)"
    echo "cpu_cores=$(described 'cpu cores' | head -n 1)"
    echo "cpu_level=$(level)"
}

described() {
    grep "^$1" /proc/cpuinfo | cut -d : -f 2 | sed 's/^ //'
}

level() {
    # The x86-64 psABI, 3.1.1: the flags by which Linux shows what the levels ask for.
    flags=" $(described flags | head -n 1) "
    found=1
    for step in "2 cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3" "3 avx avx2 bmi1 bmi2 f16c fma abm movbe xsave" \
        "4 avx512f avx512bw avx512cd avx512dq avx512vl"; do
        for flag in ${step#* }; do
            case $flags in *" $flag "*) ;; *) break 2 ;; esac
        done
        found=${step%% *}
    done
    echo "$found"
}

disks() {
    for each in /sys/block/*; do
        case ${each##*/} in loop* | ram* | zram* | sr* | fd* | dm-* | md* | '*') continue ;; esac
        one_line "disk_${each##*/}" "$(($(cat "$each/size") / 2048)) MiB, rotational $(cat "$each/queue/rotational" 2> /dev/null), $(cat "$each/device/model" 2> /dev/null) $(cat "$each/device/serial" "$each/serial" 2> /dev/null | head -n 1)"
    done
}

cards() {
    for each in /sys/class/net/*; do
        [ -e "$each/device" ] || continue
        driver=$(readlink "$each/device/driver")
        link=$(cat "$each/carrier" 2> /dev/null)
        speed=$(cat "$each/speed" 2> /dev/null)
        one_line "nic_${each##*/}" "$(cat "$each/address") driver ${driver##*/}, link ${link:-0}, ${speed:-?} Mbit"
    done
}

devices() {
    # Vendor, device and class of everything on the PCI bus: what drivers are chosen by.
    one_line pci "$(for each in /sys/bus/pci/devices/*; do
        [ -e "$each/class" ] || continue
        cat "$each/vendor" "$each/device" "$each/class" | sed 's/^0x//' | tr '\n' ':' | sed 's/:$//'
        echo
    done | sort -u | tr '\n' ' ')" 1500
}

one_line() {
    # one_line KEY VALUE [LENGTH]: nothing where nothing is known; within what the head node takes.
    [ -n "$2" ] || return 0
    key=$(echo "$1" | tr '[:upper:]' '[:lower:]' | tr -c 'a-z0-9\n' _ | cut -c 1-32)
    echo "$key=$(echo "$2" | tr -cd '[:print:]' | cut -c "1-${3:-200}")"
}

survey() {
    # prov.root=none: no node has this machine. Tells what it is until somebody makes one of it.
    say "survey: this machine is no node; it tells the head node what it is"
    # Only a card that is up tells whether a cable is in it; most take some seconds.
    for each in /sys/class/net/*; do
        ip link set "${each##*/}" up
    done
    sleep 5
    told_hardware > "$WORK/hardware"
    while :; do
        answer=$(ask --fail --max-time 10 --data-binary "@$WORK/hardware" "$URL/survey/$MAC" 2> /dev/null) || answer=
        if [ "$answer" = restart ]; then
            say "survey: it is a node now, and restarts"
            # A serial line takes its time, and a restart does not wait for it.
            sync
            sleep 2
            echo b > /proc/sysrq-trigger
        fi
        sleep "$((20 + $(random_below 10)))"
    done
}

tell_hardware() {
    # For nodes too, beside everything else. The hand-over waits for it: the token of stage 1 ends there.
    (told_hardware | ask --max-time 30 --data-binary @- --output /dev/null "$BASE/hardware" 2> /dev/null) &
    # shellcheck disable=SC2034 # handover.sh waits for it
    TELLING=$!
}
