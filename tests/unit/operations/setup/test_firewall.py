"""How nodes are let through the packet filter."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from provisioner.model.written import Ports
from provisioner.operations.setup.firewall import Firewall, Firewalld, Nft, Ufw, firewall_step, service_xml
from provisioner.operations.setup.place import Place
from provisioner.operations.setup.steps import Append, Run, Step, Write

PLACE = Place("eth1", IPv4Address("10.0.0.1"), IPv4Network("10.0.0.0/16"))
PASSING = (32768, 60999)
CONFIG = Path("/etc/nftables.conf")


def step(firewall: Firewall | None) -> Step:
    return firewall_step(firewall, PLACE, Ports())


def words(made: Step) -> list[str]:
    return [str(each) for each in made.actions]


def nft(*, policy: str = "drop", rules: tuple[dict[str, Any], ...] = (), chain: str = "input") -> str:
    """A ruleset as `nft --json list ruleset` of nftables 1.0.6 prints it."""
    where = {"family": "inet", "table": "filter"}
    head = {"chain": {**where, "name": chain, "type": "filter", "hook": "input", "prio": 0, "policy": policy}}
    rows = [{"rule": {**where, "chain": chain, **each}} for each in rules]
    return json.dumps({"nftables": [{"metainfo": {"version": "1.0.6"}}, head, *rows]})


def test_without_a_filter_nothing_is_done() -> None:
    assert not step(None).change


def test_the_service_of_firewalld_has_every_port_and_the_helper_of_tftp() -> None:
    tree = ET.fromstring(service_xml(Ports(https=8443)))

    ports = {(each.attrib["protocol"], int(each.attrib["port"])) for each in tree.iter("port")}
    assert ports == {("udp", each) for each in (53, 67, 69, 547, 4011)} | {
        ("tcp", each) for each in (53, 8080, 8443, 10809)
    }
    assert [each.attrib["name"] for each in tree.iter("helper")] == ["tftp"]


def test_firewalld_gets_our_service_in_the_zone_of_the_device() -> None:
    made = step(Firewalld("internal"))

    assert words(made) == [
        "write /etc/firewalld/services/provisioner.xml",
        "firewall-cmd --quiet --reload",
        "firewall-cmd --quiet --permanent --zone=internal --add-service=provisioner",
        "firewall-cmd --quiet --reload",
    ]


def test_firewalld_that_knows_and_has_our_service_is_left_alone() -> None:
    known = service_xml(Ports())

    assert not step(Firewalld("public", frozenset({"ssh", "provisioner"}), known)).change
    assert len(step(Firewalld("public", frozenset({"ssh"}), known)).actions) == 2
    # The ports of the site changed since.
    assert step(Firewalld("public", frozenset({"provisioner"}), b"old")).change


def test_ufw_gets_three_rules_and_only_those_that_it_lacks() -> None:
    made = step(Ufw("", PASSING))

    assert words(made) == [
        "ufw allow in on eth1 to any port 53,67,69,547,4011 proto udp",
        "ufw allow in on eth1 to any port 53,8080,10809 proto tcp",
        "ufw allow in on eth1 to any port 32768:60999 proto udp",
    ]
    added = "Added user rules (see 'ufw status' for running firewall):\n" + "\n".join(words(made)[:2])
    assert words(step(Ufw(added, PASSING))) == words(made)[2:]
    assert not step(Ufw("\n".join(words(made)), PASSING)).change


def test_rules_go_into_the_chain_that_drops_and_into_the_file_that_is_loaded() -> None:
    made = step(Nft(nft(), PASSING, CONFIG))

    write, append, run = made.actions
    assert isinstance(write, Write)
    head, tail = 'insert rule inet filter input iifname "eth1"', 'accept comment "provisioner"'
    assert write.content.decode().splitlines() == [
        f"{head} udp dport {{ 53, 67, 69, 547, 4011, 32768-60999 }} {tail}",
        f"{head} tcp dport {{ 53, 8080, 10809 }} {tail}",
    ]
    assert append == Append(CONFIG, 'include "/etc/nftables.d/provisioner.nft"')
    assert run == Run(("nft", "--file", "/etc/nftables.d/provisioner.nft"))


def test_rules_that_are_there_are_not_inserted_again() -> None:
    ours = {"comment": "provisioner", "expr": [{"match": {}}, {"accept": None}]}
    there = Nft(nft(rules=(ours,)), PASSING, CONFIG, included=True)

    assert not step(there).change
    # After a flush by hand, or where the line of the configuration is gone.
    assert isinstance(step(replace(there, ruleset=nft())).actions[-1], Run)
    assert not any(isinstance(each, Run) for each in step(replace(there, included=False)).actions)


@pytest.mark.parametrize(
    ("ruleset", "is_shut"),
    [
        ("", False),
        (json.dumps({"nftables": []}), False),
        (nft(policy="accept"), False),
        (nft(policy="accept", rules=({"expr": [{"counter": {}}, {"reject": {}}]},)), True),
        (nft(policy="accept", rules=({"expr": [{"match": {}}, {"drop": None}]},)), False),
    ],
)
def test_a_chain_is_in_the_way_where_it_drops_what_no_rule_takes(ruleset: str, is_shut: bool) -> None:
    assert bool(step(Nft(ruleset, PASSING, CONFIG)).change) is is_shut


@pytest.mark.parametrize("filter_", [Nft(nft(), PASSING, None), Nft(nft(chain="INPUT"), PASSING, CONFIG)])
def test_rules_that_nobody_loads_from_a_known_file_are_left_to_the_person(filter_: Nft) -> None:
    made = step(filter_)

    assert not made.actions
    assert "iptables -I INPUT -i eth1 -p udp -m multiport --dports 53,67,69,547,4011,32768:60999" in made.by_hand
