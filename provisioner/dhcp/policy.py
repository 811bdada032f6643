"""What is a DHCP message answered, and why? RFC 2131 section 4.3, for an authoritative server.

A machine is known by its MAC alone: firmware, iPXE and the running system of one node send three different
client identifiers (or none), and must get one address. The order of precedence: what the node reserves, then
the pool of the network, then silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from provisioner.boot.policy import decide
from provisioner.dhcp.answer import Answer, ignored
from provisioner.dhcp.case import Case, Context
from provisioner.dhcp.client import client_of, hardware_of
from provisioner.dhcp.lease import Lease, choose
from provisioner.dhcp.message import NO_ADDRESS, Kind, Message, Op, Option
from provisioner.dhcp.proxy import proxy_answer
from provisioner.dhcp.reply import BOOT_SERVICE_PORT, inform_reply, lease_reply, nak, next_step
from provisioner.model.address import MacAddress
from provisioner.model.boot import Unknown
from provisioner.model.event import Level
from provisioner.model.written import DhcpMode

LEASE_SECONDS = 12 * 3600
"""How long a reserved address is lent: longer than any boot, so that no stage loses it half-way."""

POOL_SECONDS = 600
"""How long a pool address is lent: machines without a node come and go, and the pool is small."""

OFFER_SECONDS = 60
"""How long an offered pool address waits for its REQUEST."""

DECLINE_SECONDS = 600
"""How long a pool address rests after a machine found it in use."""


_NAMES = {kind: kind.name.lower() for kind in Kind}


@dataclass(frozen=True, slots=True)
class _Place:
    """The address for a machine on this network, or None, and why."""

    address: IPv4Address | None
    reason: str
    pooled: bool = False


def answer(message: Message, context: Context) -> Answer:
    """The answer to any message; nothing that a client can send raises."""
    hardware = hardware_of(message) if message.op is Op.REQUEST else None
    if hardware is None:
        return Answer("ignored", "not a request from an Ethernet or InfiniBand address")
    client = client_of(message, hardware)
    kind = message.kind
    if kind is None:
        return Answer("ignored", "no DHCP message type (option 53): plain BOOTP", client=client)
    found = context.network_for(message)
    if found is None:
        where = message.giaddr if message.giaddr != NO_ADDRESS else context.server
        return Answer("ignored", f"no network of this site holds {where}", client=client)
    name, network = found
    if network.dhcp is DhcpMode.OFF:
        return Answer("ignored", f"the network {name} has dhcp: {network.dhcp}", client=client)
    decision = decide(context.snapshot, context.catalogue, client.machine)
    node = None if isinstance(decision, Unknown) else decision.node
    case = Case(message, context, client, name, network, decision, node)
    return proxy_answer(case, kind) if network.dhcp is DhcpMode.PROXY else _by_kind(case, kind)


def _by_kind(case: Case, kind: Kind) -> Answer:
    if case.context.boot_service:
        return ignored(case, f"only networks with dhcp: proxy are asked at port {BOOT_SERVICE_PORT}")
    decide_kind = _KINDS.get(kind)
    return decide_kind(case) if decide_kind else ignored(case, f"{kind.name} is a server's message")


def _discover(case: Case) -> Answer:
    place = _place(case, case.message.address(Option.REQUESTED_ADDRESS))
    if place.address is None:
        return ignored(case, place.reason)
    return _grant(case, Kind.OFFER, place)


def _request(case: Case) -> Answer:
    """One rule for the four states of section 4.3.2: whatever address the client names must be its own."""
    server = case.message.address(Option.SERVER)
    if server is not None and server != case.context.server:
        return _chose_another(case, server)
    wanted = case.message.address(Option.REQUESTED_ADDRESS) or case.message.ciaddr
    if wanted == NO_ADDRESS:
        return ignored(case, "a REQUEST that names no address")
    place = _place(case, wanted)
    if place.address == wanted:
        return _grant(case, Kind.ACK, place)
    if place.address is None and wanted in case.network.cidr and _usable(case, wanted):
        return ignored(case, place.reason)
    if other := case.beside(wanted):
        return ignored(case, f"{wanted} is of the network {other}, on the same device")
    return _refuse(case, wanted, place)


def _chose_another(case: Case, server: IPv4Address) -> Answer:
    """Another daemon of the site may have lent an address of our pool then: it is not ours to offer to others."""
    chosen, pool = case.message.address(Option.REQUESTED_ADDRESS), case.network.pool
    mac, now = case.client.machine.mac, case.context.now
    reason = f"it chose the server {server}"
    if chosen is None or pool is None or not pool.ends[0] <= chosen <= pool.ends[1]:
        return ignored(case, reason, drop=mac)
    holder = case.context.leases.at(chosen, now)
    # Nobody takes away by this what another machine holds.
    if holder is not None and holder.mac != mac:
        return ignored(case, reason, drop=mac)
    return ignored(case, reason, keep=Lease(mac, chosen, now + POOL_SECONDS))


def _decline(case: Case) -> Answer:
    declined = case.message.address(Option.REQUESTED_ADDRESS)
    mac, now = case.client.machine.mac, case.context.now
    reason = f"another machine uses {declined} already (DECLINE)"
    lease = case.context.leases.of(mac, now)
    # Only its holder blocks an address, or one machine could decline the whole pool.
    blocked = Lease(None, lease.address, now + DECLINE_SECONDS) if lease and lease.address == declined else None
    return _note(case, "decline", reason, address=declined, level=Level.WARNING, keep=blocked)


def _release(case: Case) -> Answer:
    return _note(case, "release", "the machine gave its address back", drop=case.client.machine.mac)


def _inform(case: Case) -> Answer:
    # Answering any other address would let a forged one aim our packets at strangers.
    if case.message.ciaddr not in case.network.cidr:
        return ignored(case, f"INFORM from {case.message.ciaddr}, which is not on {case.network_name}")
    return _note(case, "ack", "settings only (INFORM)", address=case.message.ciaddr, reply=inform_reply(case))


def _place(case: Case, wanted: IPv4Address | None) -> _Place:
    mac = case.client.machine.mac
    interface = case.node.interface_of(mac) if case.node else None
    if interface and interface.ip and interface.ip.ip in case.network.cidr:
        return _Place(interface.ip.ip, case.decision.reason)
    reason = case.decision.reason
    if case.node:
        reason = f"{case.node.name} has no address on the network {case.network_name} for {mac}"
    if interface and interface.ip and (other := case.beside(interface.ip.ip)):
        return _Place(None, f"{reason}, and has one on the network {other}, on the same device")
    if case.network.pool is None:
        return _Place(None, f"{reason}, and the network {case.network_name} has no pool")
    address = choose(
        case.network.pool,
        mac,
        leases=case.context.leases,
        usable=lambda address: _usable(case, address),
        wanted=wanted,
        now=case.context.now,
    )
    if address is None:
        return _Place(None, f"{reason}, and the pool of the network {case.network_name} is full")
    return _Place(address, f"{reason}; an address of the pool", pooled=True)


def _usable(case: Case, address: IPv4Address) -> bool:
    cidr = case.network.cidr
    ours = (case.context.server, *case.network.heads, case.network.gateway)
    ends = (cidr.network_address, cidr.broadcast_address)
    return address not in case.context.snapshot.by_address and address not in ours and address not in ends


def _grant(case: Case, kind: Kind, place: _Place) -> Answer:
    address = place.address
    if address is None:
        raise ValueError("only a place that has an address can be granted")
    seconds = POOL_SECONDS if place.pooled else LEASE_SECONDS
    step = next_step(case)
    reply = lease_reply(case, kind, address=address, seconds=seconds, step=step)
    return Answer(
        _NAMES[kind],
        f"{address!s}, {step.description}; {place.reason}",
        reply,
        case.client,
        case.node.name if case.node else None,
        address,
        keep=_lease(case, kind, address) if place.pooled else None,
        drop=None if place.pooled else case.client.machine.mac,
        lasting=not place.pooled,
    )


def _lease(case: Case, kind: Kind, address: IPv4Address) -> Lease:
    mac, now = case.client.machine.mac, case.context.now
    expires = now + (OFFER_SECONDS if kind is Kind.OFFER else POOL_SECONDS)
    held = case.context.leases.of(mac, now)
    # A DISCOVER of a machine that restarts must not cut short what it holds.
    return Lease(mac, address, max(expires, held.expires) if held else expires)


def _refuse(case: Case, wanted: IPv4Address, place: _Place) -> Answer:
    right = f"its address is {place.address}" if place.address else place.reason
    reason = f"{wanted} is not for {case.client.machine.mac}: {right}"
    reply = nak(case, f"{wanted} is not your address")
    return _note(case, "nak", reason, address=wanted, level=Level.WARNING, reply=reply)


def _note(
    case: Case,
    name: str,
    reason: str,
    *,
    reply: Message | None = None,
    address: IPv4Address | None = None,
    level: Level = Level.INFO,
    keep: Lease | None = None,
    drop: MacAddress | None = None,
) -> Answer:
    node = case.node.name if case.node else None
    return Answer(name, reason, reply, case.client, node, address=address, level=level, keep=keep, drop=drop)


_KINDS: Mapping[Kind, Callable[[Case], Answer]] = {
    Kind.DISCOVER: _discover,
    Kind.REQUEST: _request,
    Kind.DECLINE: _decline,
    Kind.RELEASE: _release,
    Kind.INFORM: _inform,
}
