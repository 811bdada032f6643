"""A small site and who asks it: DHCP messages as real firmware sends them, and scapy as an independent codec.

The options of each client are those of the captures in docs/network-services.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface
from typing import Any

from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from provisioner.dhcp.message import Message, Op
from provisioner.model.address import MacAddress
from provisioner.model.resolved import ResolvedInterface, ResolvedNode, ResolvedRoot
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import Network, Site

MAC = "52:54:00:77:00:10"
UUID = "12345678-9abc-def0-1122-334455667788"
_GUID = b"\0" + bytes.fromhex("78563412bc9af0de1122334455667788")
_COOKIE = bytes.fromhex("63825363")


@dataclass(frozen=True, slots=True)
class Firmware:
    """One kind of client: its flags, and its options in the order in which it sends them."""

    name: str
    options: Mapping[int, bytes]
    flags: int = 0

    def datagram(
        self,
        kind: int,
        *,
        mac: str = MAC,
        xid: int = 0x77001000,
        ciaddr: bytes = bytes(4),
        giaddr: bytes = bytes(4),
        extra: Mapping[int, bytes] | None = None,
    ) -> bytes:
        """The UDP payload of a message of this kind (option 53), assembled by hand."""
        chaddr = bytes.fromhex(mac.replace(":", ""))
        head = bytes((1, 1, 6, 0)) + xid.to_bytes(4, "big") + bytes(2) + self.flags.to_bytes(2, "big")
        addresses = ciaddr + bytes(8) + giaddr
        options = {53: bytes((kind,)), **self.options, **(extra or {})}
        encoded = b"".join(bytes((code, len(value))) + value for code, value in options.items())
        return head + addresses + chaddr.ljust(16, b"\0") + bytes(192) + _COOKIE + encoded + b"\xff"


_IPXE_WANTS = bytes((1, 3, 6, 7, 12, 15, 17, 26, 43, 60, 66, 67, 119, *range(128, 136), 175, 203))
# Bus id (177), version (235), then one flag a feature: http, tftp, bzimage, menu, nfs.
_IPXE_FEATURES = bytes.fromhex("b105011af41000 eb03010000 130101 150101 170101 270101 290101")
_OWN_ID = b"\x01" + bytes.fromhex(MAC.replace(":", ""))

IPXE_BIOS = Firmware(
    "ipxe-bios",
    {
        57: (1472).to_bytes(2, "big"),
        93: bytes.fromhex("0000"),
        94: bytes.fromhex("010201"),
        60: b"PXEClient:Arch:00000:UNDI:002001",
        77: b"iPXE",
        55: _IPXE_WANTS,
        175: _IPXE_FEATURES,
        61: _OWN_ID,
        97: _GUID,
    },
)
IPXE_UEFI = Firmware(
    "ipxe-uefi",
    {
        **IPXE_BIOS.options,
        93: bytes.fromhex("0007"),
        94: bytes.fromhex("01030a"),
        60: b"PXEClient:Arch:00007:UNDI:003010",
    },
)
OVMF_PXE = Firmware(
    "ovmf-pxe",
    {
        57: (1472).to_bytes(2, "big"),
        55: bytes((1, 2, 3, 4, 5, 6, 12, 13, 15, 43, 60, 66, 67, 97, *range(128, 136))),
        97: _GUID,
        94: bytes.fromhex("010300"),
        93: bytes.fromhex("0007"),
        60: b"PXEClient:Arch:00007:UNDI:003000",
    },
    flags=0x8000,
)
OVMF_HTTP = Firmware(
    "ovmf-http",
    {
        57: (1472).to_bytes(2, "big"),
        55: bytes((1, 2, 3, 4, 5, 6, 12, 13, 15, 59, 60, 251, 67, 97)),
        97: _GUID,
        94: bytes.fromhex("010300"),
        93: bytes.fromhex("0010"),
        60: b"HTTPClient:Arch:00016:UNDI:003000",
    },
    flags=0x8000,
)
NETWORKD = Firmware(
    "networkd",
    {
        61: bytes.fromhex("ff5d3e2e6a00020000ab11") + bytes(8),
        55: bytes((1, 3, 6, 12, 15, 33, 42, 120, 121)),
        57: (1472).to_bytes(2, "big"),
        12: b"n001",
    },
)
CLIENTS = (IPXE_BIOS, IPXE_UEFI, OVMF_PXE, OVMF_HTTP, NETWORKD)


def node(name: str, *interfaces: ResolvedInterface, image: str | None = "debian-12") -> ResolvedNode:
    """A resolved node; its first interface boots."""
    return ResolvedNode(
        name=name,
        domain="cluster.local",
        groups=(),
        image=image,
        root=ResolvedRoot(),
        system_overlays=(),
        runtime_overlays=(),
        kernel_args=(),
        script="boot",
        tags={},
        interfaces=interfaces,
        primary=interfaces[0].name if interfaces else None,
        provenance={},
    )


def interface(name: str, ip: str | None, *, mac: str | None = None, ip6: str | None = None) -> ResolvedInterface:
    """A resolved interface on the network `provision`."""
    return ResolvedInterface(
        name=name,
        network="provision",
        mac=MacAddress(mac) if mac else None,
        ip=IPv4Interface(ip) if ip else None,
        ip6=IPv6Interface(ip6) if ip6 else None,
    )


def snapshot(*nodes: ResolvedNode, **network: object) -> Snapshot:
    """A site with one network, `provision`, whose fields the keywords change."""
    written = {"cidr": "10.77.0.0/24", "server": "10.77.0.1", **network}
    site = Site(cluster="demo", networks={"provision": Network.model_validate(written)})
    return Snapshot.build("1", site, nodes)


def demo(**network: object) -> Snapshot:
    """n001 (MAC, 10.77.0.11), n002 (an image that does not exist) and n003 (a MAC but no address)."""
    first = interface("eth0", "10.77.0.11/24", mac=MAC, ip6="fd77::11/64")
    second = interface("eth1", "10.77.0.111/24")
    return snapshot(
        node("n001", first, second),
        node("n002", interface("eth0", "10.77.0.12/24", mac="52:54:00:77:00:12"), image="gone"),
        node("n003", interface("eth0", None, mac="52:54:00:77:00:13")),
        **network,
    )


def scapy_view(datagram: bytes) -> dict[str, Any]:
    """What scapy reads in a DHCP datagram: header fields, and options by scapy's names."""
    parsed = BOOTP(datagram)
    options = {option[0]: option[1:] for option in parsed[DHCP].options if isinstance(option, tuple)}
    head = {name: getattr(parsed, name) for name in ("op", "xid", "flags", "ciaddr", "yiaddr", "siaddr", "giaddr")}
    return {**head, "file": parsed.file.rstrip(b"\0"), "options": options}


def broadcast_frame(datagram: bytes, *, mac: str = MAC) -> bytes:
    """The Ethernet frame in which a client without an address sends a datagram."""
    frame = Ether(src=mac, dst="ff:ff:ff:ff:ff:ff") / IP(src="0.0.0.0", dst="255.255.255.255")
    return bytes(frame / UDP(sport=68, dport=67) / datagram)


def reply_in(frame: bytes) -> bytes | None:
    """The DHCP datagram inside a frame that a server sent to clients, or None for any other frame."""
    parsed = Ether(frame)
    if UDP not in parsed or parsed[UDP].dport != 68:
        return None
    return bytes(parsed[UDP].payload)


def requests() -> st.SearchStrategy[Message]:
    """Any message that a client of `demo()`, or a stranger, could send; half of the options are nonsense."""
    macs = [MAC, "52:54:00:77:00:12", "52:54:00:77:00:13", "02:00:00:00:00:01"]
    addresses = ["0.0.0.0", "10.77.0.1", "10.77.0.11", "10.77.0.12", "10.77.0.201", "192.0.2.9"]
    packed = st.sampled_from(addresses).map(lambda text: IPv4Address(text).packed)
    options = {
        53: st.integers(0, 9).map(lambda kind: bytes((kind,))),
        50: packed,
        54: packed,
        60: st.sampled_from([b"PXEClient:Arch:00007", b"HTTPClient:Arch:00016", b"MSFT 5.0"]),
        61: st.binary(max_size=300),
        77: st.binary(max_size=8),
        82: st.binary(max_size=300),
        93: st.binary(max_size=4),
        97: st.binary(max_size=17),
    }
    return st.builds(
        Message,
        op=st.just(Op.REQUEST),
        xid=st.just(1),
        chaddr=st.sampled_from([MacAddress(mac).octets for mac in macs]),
        ciaddr=packed.map(IPv4Address),
        giaddr=packed.map(IPv4Address),
        options=st.fixed_dictionaries({}, optional=options),
    )
