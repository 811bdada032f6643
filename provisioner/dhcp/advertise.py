"""Answers IPv6 router solicitations with "there is no router here" (RFC 4861 sections 4.1, 4.2, 6.2.6).

iPXE waits about 13 s for IPv6 autoconfiguration where nobody answers its solicitation. An advertisement with the
lifetime 0 and no prefix ends the wait and configures nothing: no default route, no address.

Where we give out addresses by DHCPv6, it says so (M and O), and which prefix is on the link: a lease alone has
none (RFC 8415 section 18.2.10.1), so its holder would not find even the server. Nobody makes an address of it: A
is off.
"""

from __future__ import annotations

import logging
import socket
import struct
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path

from provisioner.host.datagrams import WatchedSocket

logger = logging.getLogger(__name__)

_SOLICITATION = 133
# Type, code, checksum (the kernel's), hop limit, flags, router lifetime, reachable time, retransmission time:
# zero is "unspecified by this router", and for the lifetime "not a default router".
_ADVERTISEMENT = struct.Struct("!BBHBBHII")
# Type, length in eights, prefix length, flags, valid and preferred lifetime, reserved, prefix (section 4.6.2).
_PREFIX = struct.Struct("!BBBBIII16s")
_MANAGED_AND_OTHER = 0xC0
_ON_LINK = 0x80
_FOR_EVER = 0xFFFFFFFF
_ALL_NODES = "ff02::1"
_ALL_ROUTERS = "ff02::2"
_HOPS = 255
_ICMP6_FILTER = 1
_MAX_SIZE = 1500
_SOURCE_LINK_ADDRESS = 1
_INTERFACES = Path("/proc/net/if_inet6")


def target_of(packet: bytes, hops: int, source: IPv6Address) -> str | None:
    """Where the advertisement for an ICMPv6 packet goes, or None for what is no valid solicitation.

    Only a neighbour's packet arrives with the hop limit 255 (RFC 4861 section 6.1.1).
    """
    if hops != _HOPS or len(packet) < 8 or packet[:2] != bytes((_SOLICITATION, 0)):
        return None
    kinds = _option_kinds(packet[8:])
    if kinds is None or (source.is_unspecified and _SOURCE_LINK_ADDRESS in kinds):
        return None
    return _ALL_NODES if source.is_unspecified else str(source)


def _option_kinds(options: bytes) -> set[int] | None:
    """The types of the options; None when one has no length or is cut off."""
    kinds: set[int] = set()
    at = 0
    while at < len(options):
        size = options[at + 1] * 8 if at + 1 < len(options) else 0
        if size == 0 or at + size > len(options):
            return None
        kinds.add(options[at])
        at += size
    return kinds


def advertisement(prefix: IPv6Network | None) -> bytes:
    """The ICMPv6 packet without its checksum; `prefix` is the network whose addresses come by DHCPv6."""
    if prefix is None:
        return _ADVERTISEMENT.pack(134, 0, 0, 0, 0, 0, 0, 0)
    head = _ADVERTISEMENT.pack(134, 0, 0, 0, _MANAGED_AND_OTHER, 0, 0, 0)
    address = prefix.network_address.packed
    return head + _PREFIX.pack(3, 4, prefix.prefixlen, _ON_LINK, _FOR_EVER, _FOR_EVER, 0, address)


class RouterAdvertiser:
    """Answers on one interface. Nothing but time depends on it: where it cannot run, it says so in the log.

    With `prefix`, the nodes of that network get their addresses by DHCPv6, and need it for that.
    """

    def __init__(self, *, interface: str, prefix: IPv6Network | None = None) -> None:
        self._interface = interface
        self._advertisement = advertisement(prefix)
        self._watched = WatchedSocket()

    async def start(self) -> None:
        """Listen. Answers need a link-local address on the interface, which may also come later."""
        if not _has_link_local(self._interface):
            logger.warning("%s has no IPv6 link-local address: iPXE will wait 13 s longer", self._interface)
        try:
            opened = _open(self._interface)
        except OSError as error:
            logger.warning("no router advertisements on %s: %s", self._interface, error.strerror)
            return
        self._watched.open(opened, self._readable)

    async def close(self) -> None:
        """Stop listening; closing twice is no error."""
        self._watched.close()

    def _readable(self, opened: socket.socket) -> None:
        try:
            packet, ancillary, _, source = opened.recvmsg(_MAX_SIZE, socket.CMSG_SPACE(4))
            address = IPv6Address(source[0].partition("%")[0])
            target = target_of(packet, _hops(ancillary), address)
            if target is not None:
                opened.sendto(self._advertisement, (target, 0, 0, source[3]))
        except OSError as error:
            logger.debug("router advertisement on %s: %s", self._interface, error)


def _hops(ancillary: list[tuple[int, int, bytes]]) -> int:
    wanted = (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT)
    found = (data for level, kind, data in ancillary if (level, kind) == wanted)
    return struct.unpack("i", next(found, struct.pack("i", 0)))[0]  # type: ignore[no-any-return]


def _has_link_local(interface: str) -> bool:
    # One line an address: address, index, prefix length, scope (20 is the link), flags, name.
    try:
        lines = _INTERFACES.read_text().splitlines()
    except FileNotFoundError:
        return False
    rows = [line.split() for line in lines]
    return any(row[3] == "20" and row[5] == interface for row in rows if len(row) == 6)


def _open(interface: str) -> socket.socket:
    flags = socket.SOCK_RAW | socket.SOCK_NONBLOCK
    opened = socket.socket(socket.AF_INET6, flags, socket.IPPROTO_ICMPV6)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        opened.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, _only(_SOLICITATION))
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, _HOPS)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, _HOPS)
        index = socket.if_nametoindex(interface)
        group = socket.inet_pton(socket.AF_INET6, _ALL_ROUTERS) + struct.pack("@I", index)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    except OSError:
        opened.close()
        raise
    return opened


def _only(kind: int) -> bytes:
    """The filter that lets one ICMPv6 type through: a set bit blocks (RFC 3542 section 3.2)."""
    words = [0xFFFFFFFF] * 8
    words[kind // 32] &= ~(1 << (kind % 32))
    return struct.pack("@8I", *words)
