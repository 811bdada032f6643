#!/bin/sh
# The network device: found by its address, named, and configured from the kernel line.

find_interface() {
    for folder in /sys/class/net/*; do
        [ -e "$folder/address" ] || continue
        if [ "$(cat "$folder/address")" = "$MAC" ]; then
            echo "${folder##*/}"
            return 0
        fi
    done
    return 1
}

rename_interface() {
    # The device gets the name that people wrote now, while it is down: the running system could not rename a
    # device that is up, and would wait for ever for its configuration.
    wanted=$(argument interface)
    [ -n "$wanted" ] && [ "$INTERFACE" != "$wanted" ] || return 0
    [ ! -e "/sys/class/net/$wanted" ] || ip link set "$wanted" name "prov$(random_below 100000)"
    ip link set "$INTERFACE" name "$wanted" || fail "$INTERFACE cannot be renamed to $wanted"
    INTERFACE=$wanted
}

wait_until_unique() {
    # wait_until_unique ADDRESS/PREFIX: an IPv6 address cannot be used before the kernel has asked whether another
    # machine has it, which takes a second or two (RFC 4862 section 5.4).
    attempts=0
    while [ $attempts -lt 100 ]; do
        case $(ip -6 -oneline address show dev "$INTERFACE" to "${1%/*}") in
            *dadfailed*) fail "another machine has the address $1" ;;
            *tentative*) ;;
            *) return 0 ;;
        esac
        attempts=$((attempts + 1))
        sleep 0.1
    done
}

start_network() {
    attempts=0
    until INTERFACE=$(find_interface); do
        attempts=$((attempts + 1))
        [ $attempts -lt 300 ] || fail "no network device has the address $MAC (is its driver in the image's kernel?)"
        sleep 0.1
    done
    rename_interface
    ip link set lo up
    # Of a prefix that a router announces the kernel would make an address that the head node does not know.
    case $(argument ip) in *:*) echo 0 > "/proc/sys/net/ipv6/conf/$INTERFACE/autoconf" ;; esac
    ip link set "$INTERFACE" up || fail "$INTERFACE cannot be switched on"
    attempts=0
    until [ "$(cat "/sys/class/net/$INTERFACE/carrier" 2> /dev/null)" = 1 ]; do
        attempts=$((attempts + 1))
        [ $attempts -lt 600 ] || fail "$INTERFACE has no link after 60 s (cable, switch port?)"
        sleep 0.1
    done
    ip address add "$(argument ip)" dev "$INTERFACE" || fail "$INTERFACE does not take the address $(argument ip)"
    case $(argument ip) in *:*) wait_until_unique "$(argument ip)" ;; esac
    gateway=$(argument gateway)
    # The device is for an address that is good on one link alone (fe80::1).
    [ -z "$gateway" ] || ip route add default via "$gateway" dev "$INTERFACE"
    say "network: $INTERFACE $MAC $(argument ip)"
}
