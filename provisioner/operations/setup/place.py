"""Where the nodes are: which device of this machine leads to them, and what network it stands in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from provisioner.errors import NotFoundError, ProvisionerError

Interfaces = Sequence[tuple[str, IPv4Interface]]


@dataclass(frozen=True, slots=True)
class Place:
    """A device, this machine's address on it, and the network that nodes boot from."""

    device: str
    address: IPv4Address
    network: IPv4Network


def find_place(interfaces: Interfaces, wanted: str | None, cidr: str | None) -> Place:
    """The place that a device (or its address) and a network name; the network is the device's own unless given.

    `cidr` is a network or an address in it, with the length of its prefix: `10.0.0.0/16`, `10.0.0.1/16`. Raises
    NotFoundError where no device fits, and ProvisionerError where several addresses do or the network is none.
    """
    real = [(name, each) for name, each in interfaces if not each.ip.is_loopback]
    if wanted is None:
        raise ProvisionerError("which network leads to the nodes?", hint=_choices(real))
    known = [(name, each) for name, each in real if wanted in (name, str(each.ip))]
    if not known:
        hint = f"give it one first: ip address add 10.0.0.1/16 dev {wanted}; or choose: {_choices(real)}"
        raise NotFoundError(f"no network device {wanted} with an IPv4 address", hint=hint)
    return _chosen(known, wanted, None if cidr is None else _parsed(cidr))


def _chosen(known: Interfaces, wanted: str, cidr: IPv4Interface | None) -> Place:
    if cidr is not None:
        inside = [(name, each) for name, each in known if each.ip in cidr.network]
        # An address with its prefix says more than a network.
        known = [pair for pair in inside if pair[1].ip == cidr.ip] or inside
        if not known:
            hint = "give the network of its address, or leave --network out"
            raise ProvisionerError(f"{wanted} has no address in {cidr.network}", hint=hint)
    if len(known) > 1:
        listed = " or ".join(f"--network {each}" for _, each in known)
        raise ProvisionerError(f"{wanted} has {len(known)} addresses", hint=f"say which: {listed}")
    ((device, interface),) = known
    return Place(device, interface.ip, (cidr or interface).network)


def _parsed(cidr: str) -> IPv4Interface:
    hint = "for example --network 10.0.0.0/16"
    if "/" not in cidr:
        raise ProvisionerError(f"{cidr!r} is not a network: the length of its prefix is missing", hint=hint)
    try:
        return IPv4Interface(cidr)
    except ValueError as error:
        raise ProvisionerError(f"{cidr!r} is not an IPv4 network: {error}", hint=hint) from None


def _choices(interfaces: Iterable[tuple[str, IPv4Interface]]) -> str:
    listed = ", ".join(f"--interface {name} ({each})" for name, each in interfaces)
    return listed or "no device of this machine has an IPv4 address"
