"""What a DHCPv6 reply carries: addresses, the client's network settings, and what its firmware loads next."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address

from provisioner.dhcp.client import Program
from provisioner.dhcp.policy import LEASE_SECONDS
from provisioner.dhcp.v6.case import Case
from provisioner.dhcp.v6.codec import domains, vendor_class
from provisioner.dhcp.v6.message import (
    Association,
    Kind,
    Lent,
    Message,
    Option,
    Options,
    Packet,
    Relay,
    Status,
    StatusCode,
)
from provisioner.model.boot import Firmware

# Both are the recommended parts of the lifetime (RFC 8415 section 21.4).
_T1, _T2 = LEASE_SECONDS // 2, LEASE_SECONDS * 4 // 5
_TFTP_PORT = 69
# Intel's number, under which all PXE and HTTP boot firmware speaks (UEFI 2.10 section 24.7.3.1).
_INTEL = 343


@dataclass(frozen=True, slots=True)
class NextStep:
    """What the client loads next: options that say it, and a word for people."""

    description: str
    options: Options = ()


def next_step(case: Case) -> NextStep:
    """What the program that asks loads next, as a URL (RFC 5970 section 3.1)."""
    ports = case.context.snapshot.site.ports
    base = f"http://[{case.context.server}]:{ports.http}"
    match case.client.program:
        case Program.IPXE if case.mac:
            return NextStep("boot script", _url(f"{base}/boot/{case.mac.hyphenated}"))
        case Program.HTTP | Program.PXE:
            return _loader_step(case, base)
        case _:
            return NextStep("address only")


def _loader_step(case: Case, base: str) -> NextStep:
    choice, tftp_port = case.loader, case.context.snapshot.site.ports.tftp
    if choice.file is None:
        code = (case.packet.message.option(Option.ARCHITECTURE) or b"").hex()
        which = f" 0x{code} (option 61)" if case.client.firmware is Firmware.UNKNOWN else ""
        return NextStep(f"address only: {choice.reason}{which}")
    why = f", {choice.reason}" if choice.reason else ""
    if case.client.program is Program.HTTP:
        echo = (Option.VENDOR_CLASS, vendor_class(_INTEL, b"HTTPClient"))
        return NextStep(f"{choice.file} by HTTP{why}", (*_url(f"{base}/loader/{choice.file}"), echo))
    port = "" if tftp_port == _TFTP_PORT else f":{tftp_port}"
    return NextStep(f"{choice.file} by TFTP{why}", _url(f"tftp://[{case.context.server}]{port}/{choice.file}"))


def reply(
    case: Case,
    kind: Kind,
    *,
    associations: tuple[Association, ...] = (),
    status: Status | None = None,
    options: Options = (),
) -> Packet:
    """A message of the server, and the way back through the relays that the question came by."""
    asked = case.packet
    client = asked.message.option(Option.CLIENT)
    echo = ((Option.CLIENT.value, client),) if client is not None else ()
    named: Options = (*echo, (Option.SERVER, case.context.duid))
    message = Message(kind, asked.message.transaction, associations, status, (*named, *options))
    return Packet(message, tuple(map(_back, asked.relays)))


def settings(case: Case) -> Options:
    """Resolvers and search domains (RFC 3646)."""
    network, site = case.network, case.context.snapshot.site
    written = [each for each in network.dns if isinstance(each, IPv6Address)]
    resolvers = written or ([case.context.server] if site.ports.dns else [])
    found: list[tuple[int, bytes]] = []
    if resolvers:
        found.append((Option.DNS, b"".join(each.packed for each in resolvers)))
    return (*found, (Option.DOMAINS, domains(dict.fromkeys((network.domain, *network.search)))))


def lent(case: Case, address: IPv6Address) -> tuple[Association, ...]:
    """The first association gets the address and loses all others; any further one gets none: a device has one."""
    asked = case.packet.message.associations
    found = []
    for index, each in enumerate(asked):
        if index:
            found.append(refused(each, StatusCode.NO_ADDRESSES, "this device has one address"))
            continue
        gone = dict.fromkeys(old.address for old in each.addresses if old.address != address)
        addresses = (Lent(address, LEASE_SECONDS, LEASE_SECONDS), *map(Lent, gone))
        found.append(Association(each.iaid, _T1, _T2, addresses))
    return tuple(found)


def refused(asked: Association, code: StatusCode, text: str) -> Association:
    """An association that gets nothing, and why."""
    return Association(asked.iaid, status=Status(code, text))


def _url(text: str) -> Options:
    return ((Option.BOOT_FILE_URL, text.encode()),)


def _back(relay: Relay) -> Relay:
    # A relay gets back what tells it the port of the client (RFC 8415 section 21.18), and nothing else.
    kept = tuple(each for each in relay.options if each[0] == Option.INTERFACE)
    return Relay(relay.hops, relay.link, relay.peer, kept)
