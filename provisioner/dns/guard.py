"""Who may ask what, and how much a forged sender may make us send to somebody else. Pure but for its counts."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from ipaddress import ip_address

from provisioner.model.address import Address
from provisioner.model.snapshot import Snapshot

_MOST_SOURCES = 65_536


class Standing(Enum):
    """What a client may do: only be refused; ask; ask, and copy whole zones."""

    STRANGER = "stranger"
    CLIENT = "client"
    SECONDARY = "secondary"


def standing_of(address: Address, snapshot: Snapshot) -> Standing:
    """The machines of the site's networks and this one may ask, and who is written to be allowed more."""
    if any(address in each for each in snapshot.site.dns.transfer):
        return Standing.SECONDARY
    written = any(address in each for each in snapshot.site.dns.clients)
    known = written or address.is_loopback or snapshot.network_of(address) is not None
    return Standing.CLIENT if known else Standing.STRANGER


class Standings:
    """`standing_of` for the addresses that ask, each looked up once while the snapshot is the same."""

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._known: dict[str, Standing] = {}

    def of(self, source: str, snapshot: Snapshot) -> Standing:
        """The standing of the sender of a packet, by its address as text."""
        if snapshot is not self._snapshot or len(self._known) >= _MOST_SOURCES:
            self._snapshot, self._known = snapshot, {}
        standing = self._known.get(source)
        if standing is None:
            # A link-local sender is written with the interface behind it.
            address = ip_address(source.partition("%")[0])
            mapped = address.ipv4_mapped if address.version == 6 else None
            standing = self._known[source] = standing_of(mapped or address, snapshot)
        return standing


class Budget:
    """What may be sent by UDP on nobody's word but the sender's address, which may be forged.

    A reply of at most twice its query is of no use to who wants to flood another one. Of more than that a source
    gets `octets` a second, and then only the hint to ask by TCP. All strangers together get `refusals` a second.
    """

    def __init__(self, now: Callable[[], float], *, octets: int = 100_000, refusals: int = 100) -> None:
        self._now = now
        self._octets = octets
        self._refusals = refusals
        self._second = 0
        self._spent: dict[str, int] = {}
        self._refused = 0

    def allows(self, source: str, query: int, reply: int) -> bool:
        """Whether a reply of so many octets to a query of so many may be sent; it is counted then."""
        surplus = reply - 2 * query
        if surplus <= 0:
            return True
        self._tick()
        spent = self._spent.get(source, 0) + surplus
        if spent > self._octets or len(self._spent) >= _MOST_SOURCES:
            return False
        self._spent[source] = spent
        return True

    def refuses(self) -> bool:
        """Whether one more stranger is told that it is refused, and not just left alone."""
        self._tick()
        self._refused += 1
        return self._refused <= self._refusals

    def _tick(self) -> None:
        second = int(self._now())
        if second != self._second:
            self._second, self._refused = second, 0
            self._spent.clear()
