"""Whole zones for secondaries (AXFR, RFC 5936), in messages of moderate size."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

from provisioner.dns.codec import Query, transfer_part
from provisioner.dns.zone import Zones

_RECORDS = 100


def transfer(query: Query, zones: Zones) -> Iterator[bytes]:
    """The messages of a transfer: all records, the SOA first and last. `zones` must have the zone.

    Who asks for what changed since (IXFR) gets the whole zone too, as RFC 1995 section 4 allows.
    """
    apex = query.question.name
    soa = zones.authority(apex, zones.apexes[apex])
    records = chain(zones.records(apex), (soa,))
    # At most 100 records a message: none of them keeps the event loop from its work for long.
    while part := list(islice(records, _RECORDS)):
        yield transfer_part(query, part)
