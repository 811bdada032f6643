"""What a site's own DHCP server is told, in three languages."""

from __future__ import annotations

import json
import re

import pytest

from provisioner.exchange.addressing import Addressing, addressing_of
from provisioner.exchange.export import DHCP_EXPORTERS
from provisioner.model.boot import Firmware
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import Network, Site
from tests.support.golden import Golden
from tests.support.packets import MAC, demo, interface, node

POOL = "10.77.0.200-10.77.0.203"


def two_networks() -> Snapshot:
    """The networks `a` and `a-b`, each with a node."""
    networks = {"a": Network.model_validate({"cidr": "10.77.0.0/24", "pool": POOL, "gateway": "10.77.0.254"})}
    networks["a-b"] = Network.model_validate(
        {"cidr": "10.78.0.0/16", "domain": "b.example", "search": ["x.example"]}
    )
    site = Site(cluster="demo", networks=networks)
    first = node("n001", interface("eth0", "10.77.0.11/24", mac=MAC))
    second = node("n002", interface("eth0", "10.78.0.12/16", mac="52:54:00:77:00:12"))
    return Snapshot.build("1", site, [first, second])


def plan(**network: object) -> Addressing:
    return addressing_of(demo(**network))


@pytest.mark.parametrize("kind", DHCP_EXPORTERS)
def test_the_export_of_two_networks_reads_as_expected(kind: str, golden: Golden) -> None:
    golden(f"exchange/{kind}.txt", DHCP_EXPORTERS[kind](addressing_of(two_networks())).text)


def test_a_node_without_mac_or_address_is_named_as_left_out() -> None:
    assert plan().left_out == ("n003: no device there has both a MAC and an IPv4 address",)


def test_only_the_nodes_and_networks_that_were_asked_for_are_exported() -> None:
    chosen = addressing_of(two_networks(), {"n001"}, {"a"})

    assert [(subnet.name, [host.name for host in subnet.hosts]) for subnet in chosen.subnets] == [("a", ["n001"])]


def test_an_unknown_network_is_an_error_that_names_it() -> None:
    with pytest.raises(LookupError, match="no network nowhere"):
        addressing_of(demo(), None, ["nowhere"])


def test_every_architecture_that_we_have_a_loader_for_is_in_the_plan() -> None:
    planned = {code: loader.file for loader in plan().loaders for code in loader.architectures}

    for code in (None, *range(300)):
        assert planned.get(code) == Firmware.from_architecture(code).loader


@pytest.mark.parametrize(
    ("dns", "resolvers"), [([], ["10.77.0.1"]), (["9.9.9.9", "fd77::1"], ["9.9.9.9"])], ids=["own", "written"]
)
def test_resolvers_are_those_of_the_network(dns: list[str], resolvers: list[str]) -> None:
    assert [str(each) for each in plan(dns=dns).subnets[0].resolvers] == resolvers


def test_kea_asks_in_a_subnet_only_for_the_classes_of_that_subnet() -> None:
    content = json.loads(DHCP_EXPORTERS["kea"](addressing_of(two_networks())).text)["Dhcp4"]

    for subnet in content["subnet4"]:
        asked = {name.partition(":")[0] for name in subnet["require-client-classes"]}
        assert asked == {subnet["comment"]}


def test_a_network_without_a_pool_lends_nothing_to_strangers() -> None:
    addressing = plan()

    assert ",static," in DHCP_EXPORTERS["dnsmasq"](addressing).text
    assert "range " not in DHCP_EXPORTERS["isc"](addressing).text
    assert json.loads(DHCP_EXPORTERS["kea"](addressing).text)["Dhcp4"]["subnet4"][0]["pools"] == []


def test_dnsmasq_names_neither_itself_as_router_nor_as_resolver() -> None:
    site = demo().site
    silent = site.model_copy(update={"ports": site.ports.model_copy(update={"dns": 0})})

    text = DHCP_EXPORTERS["dnsmasq"](addressing_of(Snapshot.build("1", silent, []))).text

    assert re.search(r"^dhcp-option=tag:net-provision,option:router$", text, re.MULTILINE)
    assert re.search(r"^dhcp-option=tag:net-provision,option:dns-server$", text, re.MULTILINE)
