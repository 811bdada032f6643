"""What each tool gets, and that no field of a node can say more than its value."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given

from provisioner.config.marked import parse, plain
from provisioner.exchange.ansible import export_ansible, export_ansible_host
from provisioner.exchange.clustershell import export_clustershell
from provisioner.exchange.console import export_conman, export_powerman
from provisioner.exchange.export import EXPORTERS
from provisioner.exchange.genders import export_genders
from provisioner.exchange.hosts import export_hosts
from provisioner.exchange.inventory import Exported, Inventory
from provisioner.exchange.slurm import export_slurm
from provisioner.model.nodeset import expand
from tests.support.golden import Golden
from tests.support.inventory import NASTY, PASSWORD, cluster, hostile, record

_WORD = r'("[^"\n]*"|[^\s"]+)'


@pytest.mark.parametrize("kind", EXPORTERS)
def test_the_export_of_a_small_cluster_reads_as_expected(kind: str, golden: Golden) -> None:
    exported = EXPORTERS[kind](cluster())

    golden(f"exchange/{kind}.txt", exported.text)


@pytest.mark.parametrize("kind", EXPORTERS)
def test_a_site_without_nodes_can_be_exported(kind: str) -> None:
    assert EXPORTERS[kind](Inventory(())).left_out == ()


@pytest.mark.parametrize("kind", EXPORTERS)
def test_no_export_holds_a_password(kind: str) -> None:
    assert PASSWORD not in EXPORTERS[kind](cluster()).text


@pytest.mark.parametrize("kind", EXPORTERS)
def test_what_cannot_be_said_is_named(kind: str) -> None:
    exported = EXPORTERS[kind](Inventory((record("n001", 1, name="n 1\nn2"),)))

    assert "n2" not in exported.text
    assert any("'n 1\\nn2'" in sentence for sentence in exported.left_out)


@given(hostile())
def test_hosts_has_an_address_and_two_names_in_every_line(inventory: Inventory) -> None:
    for line in export_hosts(inventory).text.splitlines():
        assert re.fullmatch(r"[0-9a-f.:]+ [A-Za-z0-9.-]+ [A-Za-z0-9-]+", line)


@given(hostile())
def test_genders_has_no_node_and_no_attribute_that_nobody_has(inventory: Inventory) -> None:
    names = {record["name"] for record in inventory.records}
    said: dict[str, set[str]] = {name: set() for name in names}
    for line in export_genders(inventory).text.splitlines():
        nodes, _, attributes = line.partition(" ")
        assert not re.search(r"[\s#]", attributes)
        for name in expand(nodes):
            said[name] |= {each.partition("=")[0] for each in attributes.split(",") if each}
    for each in inventory.records:
        allowed = {*each["groups"], *each["tags"], "image", "cluster"}
        assert said[each["name"]] <= allowed


@given(hostile())
def test_clustershell_reads_back_the_members_of_every_group(inventory: Inventory) -> None:
    document = parse("groups.yaml", export_clustershell(inventory).text)
    members = inventory.members()

    assert document.problems == ()
    sources = plain(document.root)
    assert isinstance(sources, dict)
    groups = sources["prov"]
    assert isinstance(groups, dict)
    for group, nodes in groups.items():
        assert isinstance(nodes, str)
        if group != "all":
            assert set(expand(nodes)) <= set(members[group])


@given(hostile())
def test_slurm_has_only_words_of_a_key_and_a_value(inventory: Inventory) -> None:
    for line in export_slurm(inventory).text.splitlines():
        assert re.fullmatch(rf"(NodeName|PartitionName)={_WORD}( [A-Za-z]+={_WORD})*", line)
        if line.startswith("NodeName="):
            assert set(expand(line.split()[0].partition("=")[2])) <= {each["name"] for each in inventory.records}


@given(hostile())
def test_conman_has_one_console_a_line(inventory: Inventory) -> None:
    lines = [line for line in export_conman(inventory).text.splitlines() if not line.startswith("#")]

    for line in lines:
        assert re.fullmatch(r'CONSOLE name="[\w-]+" dev="ipmi:[0-9a-fA-F.:]+"( ipmiopts="U:[\w.@+-]+")?', line)
    assert len(lines) >= 2


@given(hostile())
def test_powerman_has_only_devices_and_nodes_in_quotes(inventory: Inventory) -> None:
    for line in export_powerman(inventory).text.splitlines():
        assert re.fullmatch(r'#.*|include "[^"]+"|(device|node) ("[\w ./:,|&@+-]+" ?){3}', line)


@given(hostile())
def test_ansible_is_told_that_nothing_in_a_value_is_a_template(inventory: Inventory) -> None:
    def visit(value: object) -> None:
        if isinstance(value, str):
            assert not re.search(r"\{[{%#]", value)
        elif isinstance(value, dict):
            for key, each in value.items():
                assert not re.search(r"\{[{%#]", key)
                if set(value) != {"__ansible_unsafe"}:
                    visit(each)
        elif isinstance(value, list):
            for each in value:
                visit(each)

    content = json.loads(export_ansible(inventory).text)

    visit(content["_meta"]["hostvars"])
    for group in content:
        assert re.fullmatch(r"[A-Za-z_]\w*", group)


@given(NASTY)
def test_a_host_that_does_not_exist_has_no_variables(name: str) -> None:
    inventory = Inventory((record("n001", 1),))

    assert json.loads(export_ansible_host(inventory, f"x{name}").text) == {}


def test_ansible_nests_a_group_only_where_all_of_its_nodes_belong() -> None:
    outsider = record("n009", 9, groups=["compute"])
    inventory = Inventory((record("n001", 1), outsider), {"base": (), "compute": ("base",)})

    content = json.loads(export_ansible(inventory).text)

    assert "children" not in content["base"]
    assert content["base"]["hosts"] == ["n001"]
    assert content["compute"]["hosts"] == ["n001", "n009"]


@pytest.mark.parametrize(("value", "word"), [(True, "YES"), (["a", "b"], "a,b"), ("a b", '"a b"'), (4, "4")])
def test_slurm_gets_values_in_its_own_form(value: object, word: str) -> None:
    exported = export_slurm(Inventory((record("n001", 1, groups=[], resources={"slurm": {"Reason": value}}),)))

    assert exported == Exported(f"NodeName=n001 Reason={word}\n")


def test_a_tag_can_say_the_hardware_for_slurm() -> None:
    exported = export_slurm(Inventory((record("n001", 1, groups=[], tags={"slurm_cpus": "8"}),)))

    assert exported == Exported("NodeName=n001 CPUs=8\n")


@pytest.mark.parametrize("export", [export_conman, export_powerman])
def test_a_bmc_that_speaks_redfish_is_no_ipmi_console(export: Callable[[Inventory], Exported]) -> None:
    redfish = record("n001", 1, bmc={"driver": "redfish", "ip": "10.2.1.1/16"})

    assert "n001" not in export(Inventory((redfish,))).text
