"""What a DHCP reply carries: the client's network settings, and what its firmware loads next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from types import MappingProxyType
from typing import NamedTuple

from provisioner.dhcp.case import Case
from provisioner.dhcp.client import Program
from provisioner.dhcp.message import BROADCAST_FLAG, ETHERNET, NO_ADDRESS, Kind, Message, Op, Option
from provisioner.dhcp.search import domain_search
from provisioner.model.boot import Firmware

SERVER_PORT = 67
CLIENT_PORT = 68
BOOT_SERVICE_PORT = 4011
"""Where a proxy serves boot files by unicast (PXE specification 2.1, section 2.2.5)."""

# Encapsulated option 176 = 1 (no-pxedhcp): iPXE then does not wait 3 s for a proxy's offer.
_NO_PROXY = bytes.fromhex("b00101")
# PXE_DISCOVERY_CONTROL = 8 in option 43: no search for boot servers, no menu, the file that is named.
_NO_DISCOVERY = bytes.fromhex("060108ff")


_ECHO_LIMIT = 255
_ECHOED = (Option.CLIENT, Option.MACHINE, Option.RELAY)
_RESOLVER_LIMIT = 8


@dataclass(frozen=True, slots=True)
class NextStep:
    """What the client loads next: the header field `file`, options that go with it, and a word for people."""

    description: str
    file: str = ""
    options: dict[int, bytes] = field(default_factory=dict)


_ADDRESS_ONLY = NextStep("address only")


def next_step(case: Case) -> NextStep:
    """What the program that asks loads next. The script tells a person why, where the node cannot boot."""
    machine = case.client.machine
    if case.client.program is Program.SYSTEM:
        return _ADDRESS_ONLY
    base = f"http://{case.context.server!s}:{case.context.http_port}"
    match case.client.program:
        case Program.IPXE:
            return NextStep("boot script", f"{base}/boot/{machine.mac.hyphenated}", {Option.IPXE: _NO_PROXY})
        case Program.HTTP | Program.PXE:
            return _loader_step(case, base)


def _loader_step(case: Case, base: str) -> NextStep:
    choice = case.loader
    if choice.file is None:
        code = case.message.options.get(Option.ARCHITECTURE, b"").hex()
        which = f" 0x{code} (option 93)" if case.client.machine.firmware is Firmware.UNKNOWN else ""
        return NextStep(f"address only: {choice.reason}{which}")
    why = f", {choice.reason}" if choice.reason else ""
    if case.client.program is Program.HTTP:
        url = f"{base}/loader/{choice.file}"
        return NextStep(f"{choice.file} by HTTP{why}", url, {Option.VENDOR_CLASS: b"HTTPClient"})
    return NextStep(f"{choice.file} by TFTP{why}", choice.file)


def lease_reply(case: Case, kind: Kind, *, address: IPv4Address, seconds: int, step: NextStep) -> Message:
    """The OFFER or ACK of an address for so many seconds (RFC 2131 section 4.3.1, table 3)."""
    # Replies go there, and a forged one beside the right address would aim them at strangers.
    uses_it = kind is Kind.ACK and case.message.ciaddr == address
    options = _identity(case, kind)
    options[Option.LEASE_TIME] = _seconds(seconds)
    options[Option.RENEWAL_TIME] = _seconds(seconds // 2)
    options[Option.REBINDING_TIME] = _seconds(seconds * 7 // 8)
    options.update(_settings(case))
    options.update(step.options)
    options.update(_boot_options(case, step))
    return _reply(
        case,
        options,
        yiaddr=address,
        siaddr=case.context.server if step.file else NO_ADDRESS,
        ciaddr=address if uses_it else NO_ADDRESS,
        file=step.file.encode(),
    )


def boot_reply(case: Case, kind: Kind, step: NextStep) -> Message:
    """The OFFER or ACK of a proxy: what to load, from whom, and no address (PXE specification 2.1, table 2-3)."""
    options = _identity(case, kind)
    options.update(_boot_options(case, step))
    if case.client.program is Program.HTTP:
        options[Option.VENDOR_CLASS] = b"HTTPClient"
    else:
        options[Option.VENDOR_CLASS] = b"PXEClient"
        options[Option.VENDOR] = _NO_DISCOVERY
    return _reply(
        case,
        options,
        siaddr=case.context.server,
        ciaddr=case.message.ciaddr if kind is Kind.ACK else NO_ADDRESS,
        file=step.file.encode(),
    )


def inform_reply(case: Case) -> Message:
    """The ACK of an INFORM: settings without an address (RFC 2131 section 4.3.5)."""
    return _reply(case, {**_identity(case, Kind.ACK), **_settings(case)}, ciaddr=case.message.ciaddr)


def nak(case: Case, text: str) -> Message:
    """The NAK that sends a client back to DISCOVER; through a relay it must be broadcast (section 4.3.2)."""
    flags = case.message.flags | (BROADCAST_FLAG if case.message.giaddr != NO_ADDRESS else 0)
    return _reply(case, {**_identity(case, Kind.NAK), Option.TEXT: text.encode()[:255]}, flags=flags)


class Target(NamedTuple):
    """Where a reply goes: address and port, and the hardware address of a client that has no address yet."""

    address: str
    port: int
    hardware: bytes = b""


def destination(reply: Message) -> Target:
    """Where the client hears a reply (RFC 2131 section 4.1): relay, own address, hardware, or everybody."""
    if reply.giaddr != NO_ADDRESS:
        return Target(str(reply.giaddr), SERVER_PORT)
    if reply.kind is Kind.NAK:
        return _EVERYBODY
    if reply.ciaddr != NO_ADDRESS:
        return Target(str(reply.ciaddr), CLIENT_PORT)
    # Only Ethernet has hardware addresses of six octets; InfiniBand is always broadcast (RFC 4390 section 2.2).
    if reply.flags & BROADCAST_FLAG or reply.yiaddr == NO_ADDRESS or reply.htype != ETHERNET:
        return _EVERYBODY
    return Target(str(reply.yiaddr), CLIENT_PORT, reply.chaddr)


_EVERYBODY = Target("255.255.255.255", CLIENT_PORT)


def everybody(target: Target) -> Target:
    """A target that takes no hardware address to reach: everybody on the link."""
    return _EVERYBODY._replace(port=target.port)


def _reply(
    case: Case,
    options: dict[int, bytes],
    *,
    yiaddr: IPv4Address = NO_ADDRESS,
    siaddr: IPv4Address = NO_ADDRESS,
    ciaddr: IPv4Address = NO_ADDRESS,
    file: bytes = b"",
    flags: int | None = None,
) -> Message:
    asked = case.message
    # The client's identifier returns (RFC 6842), the machine's, at which some firmware looks (PXE specification
    # 2.1, table 2-3), and the relay's information last (RFC 3046 section 2.2). All are the sender's own bytes,
    # which must not make the reply too long to send.
    for code in _ECHOED:
        value = asked.options.get(code)
        if value is not None and 0 < len(value) <= _ECHO_LIMIT:
            options[code] = value
    return Message(
        op=Op.REPLY,
        xid=asked.xid,
        chaddr=asked.chaddr,
        htype=asked.htype,
        flags=asked.flags if flags is None else flags,
        ciaddr=ciaddr,
        yiaddr=yiaddr,
        siaddr=siaddr,
        giaddr=asked.giaddr,
        file=file,
        options=MappingProxyType(options),
    )


def _identity(case: Case, kind: Kind) -> dict[int, bytes]:
    return {Option.KIND: bytes((kind,)), Option.SERVER: case.context.server.packed}


def _boot_options(case: Case, step: NextStep) -> dict[int, bytes]:
    """The next step as options 66 and 67, where firmware asks for them (RFC 2132 section 9.4).

    iPXE takes the header's fields.
    """
    wanted = case.message.options.get(Option.WANTED, b"")
    options: dict[int, bytes] = {}
    if step.file and case.client.program is not Program.IPXE:
        if Option.BOOT_FILE in wanted:
            options[Option.BOOT_FILE] = step.file.encode()
        if Option.BOOT_SERVER in wanted and case.client.program is Program.PXE:
            options[Option.BOOT_SERVER] = str(case.context.server).encode()
    return options


def _settings(case: Case) -> dict[int, bytes]:
    network, node = case.network, case.node
    settings: dict[int, bytes] = {Option.SUBNET_MASK: network.cidr.netmask.packed}
    if network.gateway:
        settings[Option.ROUTER] = network.gateway.packed
    if resolvers := _resolvers(case):
        settings[Option.DNS] = b"".join(each.packed for each in resolvers)
    if node:
        settings[Option.HOST_NAME] = node.name.encode()
    settings[Option.DOMAIN_NAME] = network.domain.encode()
    if network.search:
        settings[Option.DOMAIN_SEARCH] = domain_search((network.domain, *network.search))
    return settings


def _resolvers(case: Case) -> Sequence[IPv4Address]:
    server, others = case.context.server, case.network.servers
    own = (server, *(each for each in others if each != server)) if case.context.snapshot.site.ports.dns else ()
    written = [each for each in case.network.dns if isinstance(each, IPv4Address)]
    return written[:_RESOLVER_LIMIT] or own


def _seconds(value: int) -> bytes:
    return value.to_bytes(4, "big")
