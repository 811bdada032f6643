from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Interface, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.dns.message import Authority, Code, Kind, Question, Record, Reply
from provisioner.dns.zone import Zones
from provisioner.model.resolved import ResolvedBmc
from provisioner.model.snapshot import Snapshot
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


def named(**dns: object) -> Zones:
    """The demo site with more in `dns:`, and management controllers for n001 and n002."""
    base = demo(cidr6="fd77::/64")
    site = base.site.model_validate({**base.site.model_dump(mode="json", exclude_unset=True), "dns": dns})
    bmc = ResolvedBmc(ip=IPv4Interface("10.77.0.201/24"))
    nodes = dict(base.nodes)
    nodes["n001"] = nodes["n001"].model_copy(update={"bmc": bmc})
    return Zones.of(Snapshot.build("1", site, nodes.values()), serial=77)


SLURM = {"name": "_slurmctld._tcp", "port": 6817, "nodes": ["n002", "provisioner"]}


def test_a_management_controller_has_a_name_and_its_address_leads_back() -> None:
    zones = named()

    assert values(asked("n001-bmc.cluster.local", zones=zones)) == ["10.77.0.201"]
    assert values(asked("201.0.77.10.in-addr.arpa", Kind.PTR, zones)) == ["n001-bmc.cluster.local"]
    assert asked("n002-bmc.cluster.local", zones=zones).code is Code.NAME_ERROR


def test_a_service_is_found_on_its_nodes_the_first_one_preferred() -> None:
    zones = named(services=[SLURM])

    assert values(asked("_slurmctld._tcp.cluster.local", Kind.SRV, zones)) == [
        "0 0 6817 n002.cluster.local",
        "10 0 6817 provisioner.cluster.local",
    ]
    assert values(asked("_slurmctld._tcp.cluster.local", Kind.A, zones)) == []


def test_the_name_above_a_service_exists_and_others_do_not() -> None:
    zones = named(services=[SLURM])

    assert asked("_tcp.cluster.local", zones=zones).code is Code.NO_ERROR
    assert asked("_udp.cluster.local", zones=zones).code is Code.NAME_ERROR


def test_an_alias_comes_with_the_address_behind_it() -> None:
    zones = named(aliases={"Login": "n002", "boot": "provisioner"})

    assert values(asked("login.cluster.local", Kind.A, zones)) == ["n002.cluster.local", "10.77.0.12"]
    assert values(asked("login.cluster.local", Kind.CNAME, zones)) == ["n002.cluster.local"]
    assert values(asked("login.cluster.local", Kind.ANY, zones)) == ["n002.cluster.local"]
    assert values(asked("login.cluster.local", Kind.AAAA, zones)) == ["n002.cluster.local"]
    assert values(asked("boot.cluster.local", Kind.A, zones)) == ["provisioner.cluster.local", "10.77.0.1"]


def test_the_zones_are_those_of_the_domains_and_of_the_networks() -> None:
    zones = Zones.of(demo(cidr="10.77.0.0/23", server="10.77.1.1", cidr6="fd77::/63"))

    assert set(zones.apexes) == {
        "0.77.10.in-addr.arpa",
        "1.77.10.in-addr.arpa",
        "cluster.local",
        "0.0.0.0.0.0.0.0.0.0.0.0.7.7.d.f.ip6.arpa",
        "1.0.0.0.0.0.0.0.0.0.0.0.7.7.d.f.ip6.arpa",
    }


@pytest.mark.parametrize(
    "zones",
    [
        named(services=[SLURM], aliases={"login": "n001", "boot": "provisioner"}),
        Zones.of(snapshot(node("Rack-A-N1", interface("Eth0.100", "10.77.0.5/24")), domain="Cluster.LOCAL")),
    ],
)
def test_every_record_of_a_transfer_is_what_a_question_for_it_is_answered(zones: Zones) -> None:
    for apex in zones.apexes:
        whole = list(zones.records(apex))
        assert whole[0].kind is Kind.SOA
        for name in {each.name for each in whole}:
            every = asked(name, Kind.ANY, zones).answers
            assert as_texts(every) == as_texts(each for each in whole if each.name == name)


def as_texts(records: Iterable[Record]) -> list[tuple[str, str, str]]:
    return sorted((each.name, each.kind.name, str(each.value)) for each in records)


def test_a_node_with_the_name_of_a_further_interface_keeps_it() -> None:
    zones = Zones.of(
        snapshot(
            node("n1", interface("eth0", "10.77.0.5/24"), interface("eth1", "10.77.0.6/24")),
            node("n1-eth1", interface("eth0", "10.77.0.7/24")),
        )
    )

    assert values(asked("n1-eth1.cluster.local", zones=zones)) == ["10.77.0.7"]
    transferred = [each for each in zones.records("cluster.local") if each.name == "n1-eth1.cluster.local"]
    assert [str(each.value) for each in transferred] == ["10.77.0.7"]


def test_the_serial_is_that_of_all_zones() -> None:
    zones = named()

    for apex, domain in zones.apexes.items():
        value = zones.authority(apex, domain).value
        assert isinstance(value, Authority)
        assert value.serial == 77


def test_this_server_has_its_ipv6_address_where_it_serves_one() -> None:
    zones = Zones.of(demo(cidr6="fd77::/64", server6="fd77::1"))

    assert values(asked("provisioner.cluster.local", Kind.AAAA, zones)) == ["fd77::1"]
    assert values(asked(ip_address("fd77::1").reverse_pointer, Kind.PTR, zones)) == ["provisioner.cluster.local"]
