"""Resolved nodes in the shape in which people write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from provisioner.model.resolved import ResolvedNode
from provisioner.operations.record import ROOTS, at, flat, nested, shown
from provisioner.registry.compiler import current
from tests.support.site import SITE, write_site

ENTRY = """\
nodes:
  n1:
    tags: {a.b: c}
    kernel: {args: [quiet]}
    overlays: {system: [motd]}
    interfaces: {eth0.100: {ip: 10.0.1.1, mac: "52:54:00:00:00:01"}, ib0: {mac: "%s"}}
    resources: {a.b: 1, a: {b: 2}}
"""
INFINIBAND = "80:00:00:48:fe:80:00:00:00:00:00:00:00:02:c9:03:00:00:00:01"


@pytest.fixture
def record(tmp_path: Path) -> dict[str, Any]:
    with current(
        write_site(tmp_path, {"provisioner.yaml": SITE, "nodes.d/n.yaml": ENTRY % INFINIBAND})
    ) as published:
        return next(published.records())


def test_fields_are_where_people_write_them(record: dict[str, Any]) -> None:
    made = nested(record)

    assert made["kernel"] == {"version": None, "args": ["quiet"]}
    assert made["overlays"]["system"][-1] == "motd"
    assert made["root"]["kind"] == "overlay"
    assert made["interfaces"]["eth0.100"]["ip"] == "10.0.1.1/16"
    assert "name" not in made["interfaces"]["eth0.100"]


def test_what_the_boot_interface_has_is_shown_at_the_top(record: dict[str, Any]) -> None:
    made = shown(record)

    assert [made[key] for key in ("interface", "mac", "ip", "ip6")] == [
        "eth0.100",
        "52:54:00:00:00:01",
        "10.0.1.1",
        None,
    ]


def test_every_field_of_a_node_has_a_known_root(record: dict[str, Any]) -> None:
    assert set(shown(record)) == ROOTS
    assert set(ResolvedNode.model_fields) - {"provenance"} == set(record)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", "n1"),
        ("kernel.args", ["quiet"]),
        ("tags.a.b", "c"),
        ("interfaces.eth0.100.mac", "52:54:00:00:00:01"),
        ("interfaces.ib0.mac", INFINIBAND),
        ('interfaces."eth0.100".mac', "52:54:00:00:00:01"),
        ('resources."a.b"', 1),
        ("resources.a.b", 2),
        ("resources.a", {"b": 2}),
        ("tags.x", None),
        ("name.x", None),
        ("", None),
    ],
)
def test_a_dotted_path_finds_keys_that_hold_dots_too(record: dict[str, Any], path: str, value: object) -> None:
    assert at(shown(record), path) == value


def test_a_record_is_flattened_to_its_values(record: dict[str, Any]) -> None:
    values = dict(flat({"a": {"b": [1, 2], "c": {}}, "d": None}))

    assert values == {"a.b": [1, 2], "d": None}
    values = dict(flat(nested(record)))
    assert values['interfaces."eth0.100".network'] == "provision"
    assert (values['resources."a.b"'], values["resources.a.b"]) == (1, 2)


def test_an_infiniband_address_stands_where_it_is_written(record: dict[str, Any]) -> None:
    made = nested(record)["interfaces"]["ib0"]

    assert made["mac"] == INFINIBAND
    assert "infiniband_address" not in made
