"""What is a DHCPv6 message answered, and why? RFC 8415 section 18.3, for a server that knows every node.

An address is what the node reserves for the device that asks, on the network where it asks. Nothing is remembered,
so two daemons with the same snapshot give the same answers. A machine that is no node gets settings at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address

from provisioner.boot.policy import decide
from provisioner.dhcp.client import Program
from provisioner.dhcp.v6.case import Case, Context
from provisioner.dhcp.v6.client import Client, client_of
from provisioner.dhcp.v6.message import Kind, Message, Option, Options, Packet, Status, StatusCode
from provisioner.dhcp.v6.reply import lent, next_step, refused, reply, settings
from provisioner.model.address import MacAddress
from provisioner.model.boot import Machine, Unknown
from provisioner.model.event import Level
from provisioner.model.resolved import ResolvedNode
from provisioner.model.written import Dhcp6Mode, Network

# A client that sees it need not wait for other servers (section 18.2.1).
_PREFERRED: Options = ((Option.PREFERENCE, b"\xff"),)
_COMMITTED: Options = ((Option.RAPID_COMMIT, b""),)
_NOT_TO_ONE_SERVER = frozenset({Kind.SOLICIT, Kind.CONFIRM, Kind.REBIND})
_TO_ONE_SERVER = frozenset({Kind.REQUEST, Kind.RENEW, Kind.RELEASE, Kind.DECLINE})
_ASKED = {kind.value: kind for kind in (*_NOT_TO_ONE_SERVER, *_TO_ONE_SERVER, Kind.INFORMATION_REQUEST)}


@dataclass(frozen=True, slots=True)
class Answer:
    """What to do about one message: `name` in an event's terms, and the reason in a sentence.

    The names are advertise, reply, decline, release and ignored.
    """

    name: str
    reason: str
    reply: Packet | None = None
    client: Client | None = None
    mac: MacAddress | None = None
    node: str | None = None
    address: IPv6Address | None = None
    level: Level = Level.INFO


def answer(packet: Packet, source: IPv6Address, context: Context) -> Answer:
    """The answer to any message that came from `source`; nothing that a client can send raises."""
    kind = _ASKED.get(packet.message.kind)
    fault = _fault(kind, packet.message, context.duid)
    if kind is None or fault:
        return Answer("ignored", fault or f"a message of the type {packet.message.kind} is no client's")
    if not packet.relays and not source.is_link_local:
        # A client has to (section 18.2), and a forged one must not aim our packets at strangers.
        return Answer("ignored", f"{source} is neither a relay nor on the link")
    client = client_of(packet, source)
    found = context.network_for(packet)
    if found is None:
        return Answer("ignored", "no network of this site holds the client's link", client=client, mac=client.mac)
    name, network = found
    if network.dhcp6 is not Dhcp6Mode.AUTHORITATIVE:
        reason = f"the network {name} has dhcp6: {network.dhcp6}"
        return Answer("ignored", reason, client=client, mac=client.mac)
    return _by_kind(_case(packet, context, client, found), kind)


def _fault(kind: Kind | None, message: Message, duid: bytes) -> str | None:
    """Why a message is to be discarded (section 16), or None."""
    server = message.option(Option.SERVER)
    if kind is Kind.INFORMATION_REQUEST:
        if message.associations:
            return "an INFORMATION-REQUEST that asks for addresses"
        return "it asks another server" if server not in {None, duid} else None
    if message.option(Option.CLIENT) is None:
        return "a message without the client's DUID (option 1)"
    if kind in _NOT_TO_ONE_SERVER and server is not None:
        return "a message to all servers that names one (option 2)"
    return "it chose another server" if kind in _TO_ONE_SERVER and server != duid else None


def _case(packet: Packet, context: Context, client: Client, where: tuple[str, Network]) -> Case:
    name, network = where
    by_uuid = context.node_of(client)
    mac = client.mac or _boot_mac(by_uuid)
    if mac is None:
        reason = "neither its address nor its DUID tells the device that asks"
        return Case(packet, context, client, name, network, None, None, reason)
    runs_ipxe = client.program is Program.IPXE
    decision = decide(context.snapshot, context.catalogue, Machine(mac, client.firmware, runs_ipxe))
    node = None if isinstance(decision, Unknown) else decision.node
    return Case(packet, context, client, name, network, mac, node, decision.reason)


def _boot_mac(node: ResolvedNode | None) -> MacAddress | None:
    device = node.boot_interface if node else None
    return device.mac if device else None


def _by_kind(case: Case, kind: Kind) -> Answer:
    match kind:
        case Kind.SOLICIT:
            return _solicit(case)
        case Kind.REQUEST:
            return _extend(case, StatusCode.NO_ADDRESSES)
        case Kind.RENEW:
            return _extend(case, StatusCode.NO_BINDING)
        case Kind.REBIND:
            return _rebind(case)
        case Kind.CONFIRM:
            return _confirm(case)
        case Kind.RELEASE:
            return _done(case, "release", "the machine gave its address back")
        case Kind.DECLINE:
            return _done(case, "decline", f"another machine uses {_named(case)} already (DECLINE)", Level.WARNING)
        case _:
            return _inform(case)


def _solicit(case: Case) -> Answer:
    asks_for_address = bool(case.packet.message.associations)
    if asks_for_address and case.address is None:
        return _note(case, "ignored", _no_address(case))
    if case.packet.message.option(Option.RAPID_COMMIT) is not None:
        return _grant(case, Kind.REPLY, _COMMITTED)
    return _grant(case, Kind.ADVERTISE, _PREFERRED)


def _extend(case: Case, code: StatusCode) -> Answer:
    if case.address is not None:
        return _grant(case, Kind.REPLY)
    reason = _no_address(case)
    nothing = tuple(refused(each, code, reason) for each in case.packet.message.associations)
    return _note(case, "reply", reason, reply(case, Kind.REPLY, associations=nothing), level=Level.WARNING)


def _rebind(case: Case) -> Answer:
    if case.address is None:
        # Another server may know better (section 18.3.5).
        return _note(case, "ignored", _no_address(case))
    return _grant(case, Kind.REPLY)


def _grant(case: Case, kind: Kind, options: Options = ()) -> Answer:
    step = next_step(case)
    associations = lent(case, case.address) if case.address else ()
    options = (*options, *settings(case), *step.options)
    said = reply(case, kind, associations=associations, options=options)
    reason = f"{case.address or 'settings'}, {step.description}; {case.reason}"
    return _note(case, kind.name.lower(), reason, said)


def _confirm(case: Case) -> Answer:
    named = [each.address for association in case.packet.message.associations for each in association.addresses]
    if not named:
        return _note(case, "ignored", "a CONFIRM that names no address")
    cidr = case.network.cidr6
    stray = [address for address in named if cidr is None or address not in cidr]
    code = StatusCode.NOT_ON_LINK if stray else StatusCode.SUCCESS
    reason = f"{stray[0]} is not on {case.network_name}" if stray else "still on the same link"
    return _note(case, "reply", reason, reply(case, Kind.REPLY, status=Status(code, reason)))


def _done(case: Case, name: str, reason: str, level: Level = Level.INFO) -> Answer:
    said = reply(case, Kind.REPLY, status=Status(StatusCode.SUCCESS))
    return _note(case, name, reason, said, level=level)


def _inform(case: Case) -> Answer:
    step = next_step(case)
    said = reply(case, Kind.REPLY, options=(*settings(case), *step.options))
    return _note(case, "reply", f"settings, {step.description} (INFORMATION-REQUEST)", said)


def _no_address(case: Case) -> str:
    if case.node is None:
        return case.reason
    return f"{case.node.name} has no IPv6 address on the network {case.network_name} for {case.mac}"


def _named(case: Case) -> str:
    associations = case.packet.message.associations
    return ", ".join(str(each.address) for one in associations for each in one.addresses[:1]) or "its address"


def _note(case: Case, name: str, reason: str, said: Packet | None = None, *, level: Level = Level.INFO) -> Answer:
    node = case.node.name if case.node else None
    return Answer(name, reason, said, case.client, case.mac, node, case.address, level)
