"""What is at the other end of every cable of the node in tests/support/backendvm.py, told in plain `ip` commands.

A switch that speaks LACP on two ports, one that does not know of the bond on two others, a port with a VLAN, and
the routers and hosts behind them: each address below answers, and each is reached by one device of the node only.
"""

from __future__ import annotations

from provisioner.lab.machine import Cable
from provisioner.model.address import MacAddress

# eth1 to eth5 of the node; eth0 is in the lab's network.
CABLED = range(1, 6)
LACP_MAC = "52:54:00:00:02:b0"

# By what it takes to be reached: the address at the far end, and the device that has to carry the packets.
NEIGHBOURS = {
    "10.0.0.254": "eth0",
    "fd00::fe": "eth0",
    "10.9.0.254": "bond0",
    "fd09::fe": "bond0",
    "10.100.0.254": "bond0.100",
    "fd64::fe": "bond0.100",
    "10.200.0.254": "bond1.200",
    "10.8.0.254": "eth5",
    "fd30::fe": "storage6",
    "10.40.0.254": "boot.400",
}
BEHIND_ROUTERS = {
    "10.20.0.1": "bond0",
    "10.21.0.1": "bond0",
    "10.7.0.1": "eth5",
    "fd20::1": "bond0",
    "192.0.2.1": "bond1.200",
    "2001:db8::1": "eth0",
}
ANSWERING = {**NEIGHBOURS, **BEHIND_ROUTERS}

_PORT = 20000


def near_mac(number: int) -> MacAddress:
    """The hardware address of NIC `eth<number>` of the node."""
    return MacAddress(f"52:54:00:00:00:{number:02x}")


def far_mac(number: int) -> MacAddress:
    """The hardware address of the peer's NIC at the other end of it."""
    return MacAddress(f"52:54:00:00:02:{number:02x}")


def near_cables() -> list[Cable]:
    """The node's ends."""
    return [Cable(near_mac(each), _PORT + each, _PORT + 100 + each) for each in CABLED]


def far_cables() -> list[Cable]:
    """The peer's ends."""
    return [Cable(far_mac(each), _PORT + 100 + each, _PORT + each) for each in CABLED]


# The shell script that makes the peer what it is.
COMMANDS = f"""
set -eu
for file in /sys/class/net/*/address; do
    device=${{file%/address}}
    read -r mac < $file
    case $mac in
        52:54:00:00:02:0[1-5]) ip link set ${{device##*/}} name far${{mac##*0}} ;;
    esac
done
# In the network that the node boots from: the router, and a VLAN beside it.
ip address add 10.0.0.254/16 dev eth0
ip address add fd00::fe/64 dev eth0 nodad
ip link add link eth0 name far0.400 type vlan id 400
ip address add 10.40.0.254/24 dev far0.400
# A switch with LACP, a VLAN on the bundle, and a router that is on no network of the node's.
ip link add far-bond type bond mode 802.3ad miimon 100 lacp_rate fast
ip link set far-bond address {LACP_MAC} mtu 9000
ip link set far1 master far-bond
ip link set far2 master far-bond
ip address add 10.9.0.254/24 dev far-bond
ip address add fd09::fe/64 dev far-bond nodad
ip address add 10.99.0.1/32 dev far-bond
ip link add link far-bond name far-bond.100 mtu 1500 type vlan id 100
ip address add 10.100.0.254/24 dev far-bond.100
ip address add fd64::fe/64 dev far-bond.100 nodad
# A switch that knows nothing of the bond with a spare.
ip link add far-bridge type bridge forward_delay 0 stp_state 0
ip link set far3 master far-bridge
ip link set far4 master far-bridge
ip link add link far-bridge name far-bridge.200 type vlan id 200
ip address add 10.200.0.254/24 dev far-bridge.200
# A plain port, and a VLAN whose router is only known by its link-local address.
ip address add 10.8.0.254/24 dev far5
ip link add link far5 name far5.300 type vlan id 300
ip address add fe80::1/64 dev far5.300 nodad
ip address add fd30::fe/64 dev far5.300 nodad
# The hosts behind the routers.
for address in 10.20.0.1 10.21.0.1 10.7.0.1 192.0.2.1 fd20::1 2001:db8::1; do
    ip address add $address dev lo
done
for device in far1 far2 far3 far4 far5 far-bond far-bridge far0.400 far-bond.100 far-bridge.200 far5.300; do
    ip link set $device up
done
"""
