from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.dns.message import Authority, Code, Kind, Question, Reply
from provisioner.dns.zone import Zones
from tests.support.packets import demo, interface, node, snapshot

ZONES = Zones.of(demo(cidr6="fd77::/64"))


def asked(name: str, kind: int = Kind.A, zones: Zones = ZONES) -> Reply:
    return zones.answer(Question(name, kind))


def values(reply: Reply) -> list[str]:
    assert reply.code is Code.NO_ERROR
    return [str(record.value) for record in reply.answers]


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("n001.cluster.local", Kind.A, ["10.77.0.11"]),
        ("n001.cluster.local", Kind.AAAA, ["fd77::11"]),
        ("n001.cluster.local", Kind.ANY, ["10.77.0.11", "fd77::11"]),
        ("n001-eth1.cluster.local", Kind.A, ["10.77.0.111"]),
        ("provisioner.cluster.local", Kind.A, ["10.77.0.1"]),
        ("11.0.77.10.in-addr.arpa", Kind.PTR, ["n001.cluster.local"]),
        ("111.0.77.10.in-addr.arpa", Kind.PTR, ["n001-eth1.cluster.local"]),
        ("1.0.77.10.in-addr.arpa", Kind.PTR, ["provisioner.cluster.local"]),
        ("1.1" + ".0" * 14 + ".0.0.0.0.0.0.0.0.0.0.0.0.7.7.d.f.ip6.arpa", Kind.PTR, ["n001.cluster.local"]),
        ("cluster.local", Kind.NS, ["provisioner.cluster.local"]),
        ("0.77.10.in-addr.arpa", Kind.NS, ["provisioner.cluster.local"]),
    ],
)
def test_names_follow_from_the_nodes(name: str, kind: Kind, expected: list[str]) -> None:
    assert values(asked(name, kind)) == expected


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("n002.cluster.local", Kind.AAAA),
        ("n003.cluster.local", Kind.A),
        ("cluster.local", Kind.A),
        ("n001.cluster.local", 16),
        ("11.0.77.10.in-addr.arpa", Kind.A),
        ("d.f.ip6.arpa", Kind.PTR),
    ],
)
def test_a_name_without_such_a_type_exists_and_has_no_records(name: str, kind: int) -> None:
    zones = Zones.of(demo(cidr6="fd00::/8"))
    reply = asked(name, kind, zones)

    assert (reply.code, reply.answers, len(reply.authority)) == (Code.NO_ERROR, (), 1)
    assert reply.authority[0].kind is Kind.SOA


@pytest.mark.parametrize(
    "name",
    [
        "n009.cluster.local",
        "n001-eth0.cluster.local",
        "n001-.cluster.local",
        "-eth1.cluster.local",
        "x.n001.cluster.local",
        "99.0.77.10.in-addr.arpa",
        "x.0.77.10.in-addr.arpa",
    ],
)
def test_a_name_that_does_not_exist_in_our_zones_is_said_to_not_exist(name: str) -> None:
    reply = asked(name)

    assert (reply.code, reply.authoritative) == (Code.NAME_ERROR, True)
    assert [record.kind for record in reply.authority] == [Kind.SOA]


@pytest.mark.parametrize(
    "name", ["example.org", "local", "", "xcluster.local", "8.8.8.8.in-addr.arpa", "77.10.in-addr.arpa"]
)
def test_outside_our_zones_everything_is_refused(name: str) -> None:
    reply = asked(name)

    assert (reply.code, reply.answers, reply.authority, reply.authoritative) == (Code.REFUSED, (), (), False)


@pytest.mark.parametrize("kind", [251, 252])
def test_zone_transfers_are_refused(kind: int) -> None:
    assert asked("cluster.local", kind).code is Code.REFUSED


def test_the_soa_names_this_server_and_changes_with_the_revision() -> None:
    (record,) = asked("cluster.local", Kind.SOA).answers

    assert isinstance(record.value, Authority)
    assert (record.value.server, record.value.mailbox) == ("provisioner.cluster.local", "hostmaster.cluster.local")
    assert record.value.serial > 0


def test_without_a_written_server_address_the_server_is_the_first_host_of_the_network() -> None:
    zones = Zones.of(demo(server=None))

    assert values(asked("provisioner.cluster.local", zones=zones)) == ["10.77.0.1"]


def test_names_written_in_capitals_are_found() -> None:
    zones = Zones.of(snapshot(node("Rack-A-N1", interface("Eth0.100", "10.77.0.5/24")), domain="Cluster.LOCAL"))

    assert values(asked("15.0.77.10.in-addr.arpa".replace("15", "5"), Kind.PTR, zones)) == [
        "Rack-A-N1.cluster.local"
    ]
    assert values(asked("rack-a-n1.cluster.local", zones=zones)) == ["10.77.0.5"]


def test_hyphens_in_a_node_name_and_dots_in_an_interface_do_not_confuse() -> None:
    further = interface("bond0.100", "10.77.0.6/24")
    zones = Zones.of(snapshot(node("rack-a-n1", interface("eth0", "10.77.0.5/24"), further)))

    assert values(asked("rack-a-n1-bond0-100.cluster.local", zones=zones)) == ["10.77.0.6"]
    assert values(asked("6.0.77.10.in-addr.arpa", Kind.PTR, zones)) == ["rack-a-n1-bond0-100.cluster.local"]


def test_a_node_that_boots_from_an_interface_without_address_is_named_by_the_next_one() -> None:
    zones = Zones.of(snapshot(node("n1", interface("eth0", None), interface("eth1", "10.77.0.6/24"))))

    assert values(asked("n1.cluster.local", zones=zones)) == ["10.77.0.6"]


@given(st.text(max_size=80), st.integers(0, 65535))
def test_no_question_raises(name: str, kind: int) -> None:
    for zone in ("", ".cluster.local", ".0.77.10.in-addr.arpa", ".d.f.ip6.arpa"):
        assert asked(name + zone, kind).code in Code
