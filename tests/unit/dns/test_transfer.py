from __future__ import annotations

from dnslib import DNSRecord

from provisioner.dns.codec import decode
from provisioner.dns.transfer import transfer
from provisioner.dns.zone import Zones
from tests.support.packets import interface, node, snapshot


def test_a_zone_is_sent_in_parts_between_two_copies_of_its_soa() -> None:
    nodes = [node(f"n{n}", interface("eth0", f"10.77.{n // 250}.{n % 250 + 2}/16")) for n in range(1000)]
    zones = Zones.of(snapshot(*nodes, cidr="10.77.0.0/16"), serial=9)
    query = decode(bytes(DNSRecord.question("Cluster.Local", "AXFR").pack()))

    parts = [DNSRecord.parse(message) for message in transfer(query, zones)]

    records = [each for part in parts for each in part.rr]
    kinds = [each.rtype for each in records]
    assert (len(parts), len(records), kinds[0], kinds[-1], kinds.count(6)) == (11, 1004, 6, 6, 2)
    assert {part.header.id for part in parts} == {query.number}
    assert all(part.header.aa and str(part.q.qname) == "Cluster.Local." for part in parts)
    assert {str(each.rname) for each in records if each.rtype == 1} == {
        *(f"n{n}.cluster.local." for n in range(1000)),
        "provisioner.cluster.local.",
    }
