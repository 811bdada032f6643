"""What a DHCP reply carries: the client's network settings, and what its firmware loads next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from types import MappingProxyType

from provisioner.dhcp.case import Case
from provisioner.dhcp.client import Program
from provisioner.dhcp.message import BROADCAST_FLAG, NO_ADDRESS, Kind, Message, Op, Option

SERVER_PORT = 67
CLIENT_PORT = 68
_BROADCAST = IPv4Address("255.255.255.255")

# Encapsulated option 176 = 1 (no-pxedhcp): iPXE then does not wait 3 s for a proxy's offer.
_NO_PROXY = bytes.fromhex("b00101")


_ECHO_LIMIT = 255
_RESOLVER_LIMIT = 8


@dataclass(frozen=True, slots=True)
class NextStep:
    """What the client loads next: the header field `file`, options that go with it, and a word for people."""

    description: str
    file: str = ""
    options: dict[int, bytes] = field(default_factory=dict)


def next_step(case: Case) -> NextStep:
    """What the program that asks loads next. The script tells a person why, where the node cannot boot."""
    machine = case.client.machine
    base = f"http://{case.context.server}:{case.context.http_port}"
    match case.client.program:
        case Program.SYSTEM:
            return NextStep("address only")
        case Program.IPXE:
            return NextStep("boot script", f"{base}/boot/{machine.mac.hyphenated}", {Option.IPXE: _NO_PROXY})
        case Program.HTTP if machine.firmware.loader:
            url = f"{base}/loader/{machine.firmware.loader}"
            return NextStep(f"{machine.firmware.loader} by HTTP", url, {Option.VENDOR_CLASS: b"HTTPClient"})
        case Program.PXE if machine.firmware.loader:
            return NextStep(f"{machine.firmware.loader} by TFTP", machine.firmware.loader)
        case Program.HTTP | Program.PXE:
            code = case.message.options.get(Option.ARCHITECTURE, b"").hex()
            return NextStep(f"address only: there is no loader for the architecture 0x{code} (option 93)")


def lease_reply(case: Case, kind: Kind, *, address: IPv4Address, seconds: int, step: NextStep) -> Message:
    """The OFFER or ACK of an address for so many seconds (RFC 2131 section 4.3.1, table 3)."""
    times: dict[int, bytes] = {
        Option.LEASE_TIME: _seconds(seconds),
        Option.RENEWAL_TIME: _seconds(seconds // 2),
        Option.REBINDING_TIME: _seconds(seconds * 7 // 8),
    }
    return _reply(
        case,
        {**_identity(case, kind), **times, **_settings(case), **step.options},
        yiaddr=address,
        siaddr=case.context.server if step.file else NO_ADDRESS,
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


def destination(reply: Message) -> tuple[str, int]:
    """Address and port that a reply is sent to (RFC 2131 section 4.1).

    A client without an address is reached by broadcast, whether or not it asked for that: a unicast to it
    needs a raw frame, which this server does not send yet.
    """
    if reply.giaddr != NO_ADDRESS:
        return str(reply.giaddr), SERVER_PORT
    if reply.ciaddr != NO_ADDRESS and reply.kind is not Kind.NAK:
        return str(reply.ciaddr), CLIENT_PORT
    return str(_BROADCAST), CLIENT_PORT


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
    # The client's identifier returns (RFC 6842), and the relay's information last (RFC 3046 section 2.2). Both
    # are the sender's own bytes, which must not make the reply too long to send.
    echoed: dict[int, bytes] = {
        code: asked.options[code]
        for code in (Option.CLIENT, Option.RELAY)
        if 0 < len(asked.options.get(code, b"")) <= _ECHO_LIMIT
    }
    return Message(
        op=Op.REPLY,
        xid=asked.xid,
        chaddr=asked.chaddr,
        flags=asked.flags if flags is None else flags,
        ciaddr=ciaddr,
        yiaddr=yiaddr,
        siaddr=siaddr,
        giaddr=asked.giaddr,
        file=file,
        options=MappingProxyType({**options, **echoed}),
    )


def _identity(case: Case, kind: Kind) -> dict[int, bytes]:
    return {Option.KIND: bytes((kind,)), Option.SERVER: case.context.server.packed}


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
    return settings


def _resolvers(case: Case) -> Sequence[IPv4Address]:
    own = (case.context.server,) if case.context.snapshot.site.ports.dns else ()
    written = [each for each in case.network.dns if isinstance(each, IPv4Address)]
    return written[:_RESOLVER_LIMIT] or own


def _seconds(value: int) -> bytes:
    return value.to_bytes(4, "big")
