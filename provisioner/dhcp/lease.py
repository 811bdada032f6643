"""Addresses lent from a network's pool to machines that no node reserves one for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from zlib import crc32

from provisioner.model.address import MacAddress
from provisioner.model.written import AddressRange

# At a full pool the search must end before it delays other clients, and made-up machines must not fill the
# processor with searches: 512 probes take about half a millisecond.
_PROBES = 512
_MOST_VAIN = 100


@dataclass(frozen=True, slots=True)
class Lease:
    """An address out of a pool. `mac` is None while a machine's DECLINE blocks it; `expires` is in seconds."""

    mac: MacAddress | None
    address: IPv4Address
    expires: float


class Leases:
    """The pool's addresses in use, at most one a machine.

    It is kept in memory only: an address follows from the MAC, and a client that renews after a restart gets
    what it has as long as that is free.
    """

    def __init__(self) -> None:
        self._by_address: dict[IPv4Address, Lease] = {}
        self._by_mac: dict[MacAddress, Lease] = {}
        self._vain = 0
        self._since = float("-inf")

    def of(self, mac: MacAddress, now: float) -> Lease | None:
        """The lease of a machine, unless it has expired."""
        lease = self._by_mac.get(mac)
        return lease if lease is not None and lease.expires > now else None

    def at(self, address: IPv4Address, now: float) -> Lease | None:
        """The lease of an address, unless it has expired."""
        lease = self._by_address.get(address)
        return lease if lease is not None and lease.expires > now else None

    def keep(self, lease: Lease) -> None:
        """Remember a lease in place of any that its machine or its address had."""
        self._forget(self._by_address.get(lease.address))
        if lease.mac is not None:
            self.drop(lease.mac)
            self._by_mac[lease.mac] = lease
        self._by_address[lease.address] = lease

    def may_search(self, now: float) -> bool:
        """Whether fewer than a hundred searches of this second ended in vain."""
        if not 0 <= now - self._since < 1:
            self._since, self._vain = now, 0
        return self._vain < _MOST_VAIN

    def searched_in_vain(self) -> None:
        """Count a search that found nothing."""
        self._vain += 1

    def drop(self, mac: MacAddress) -> None:
        """Forget the lease of a machine, if it has one."""
        self._forget(self._by_mac.get(mac))

    def _forget(self, lease: Lease | None) -> None:
        if lease is not None:
            del self._by_address[lease.address]
            if lease.mac is not None:
                del self._by_mac[lease.mac]


def choose(
    pool: AddressRange,
    mac: MacAddress,
    *,
    leases: Leases,
    usable: Callable[[IPv4Address], bool],
    wanted: IPv4Address | None,
    now: float,
) -> IPv4Address | None:
    """The address of the pool that a machine gets, or None from a full pool, or where many found none just now.

    What it has; else what it asks for, when that is free; else the first free one from a place that its MAC
    alone decides, so that heads agree and a restart changes nothing. `usable` excludes reserved addresses.
    """
    first, last = pool.ends

    def free(address: IPv4Address) -> bool:
        lease = leases.at(address, now)
        return (lease is None or lease.mac == mac) and usable(address)

    held = leases.of(mac, now)
    for candidate in (held.address if held else None, wanted):
        if candidate is not None and first <= candidate <= last and free(candidate):
            return candidate
    if not leases.may_search(now):
        return None
    size = int(last) - int(first) + 1
    start = crc32(mac.octets)
    candidates = (first + (start + step) % size for step in range(min(size, _PROBES)))
    found = next(filter(free, candidates), None)
    if found is None:
        leases.searched_in_vain()
    return found
