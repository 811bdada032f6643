"""What all listings have in common: records, the same in every format, and with names where things have names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from provisioner.cli.main import prov
from provisioner.registry.compiler import current
from tests.support.site import SITE, write_site

LISTINGS = (("node", "list"), ("group", "list"), ("overlay", "list"), ("secret", "list"), ("switch", "list"))
# Generations and boots have an image or a number, and no name.
NAMELESS = {("image", "list"), ("boot", "list")}
SHOWN = (("node", "show", "n1"), ("group", "show", "g"))

each_listing = pytest.mark.parametrize("words", LISTINGS, ids=" ".join)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "provisioner.yaml": SITE,
        "groups.d/g.yaml": "groups: {g: {tags: {a: b}}}\n",
        "nodes.d/n.yaml": "nodes: {n1: {groups: [g]}}\n",
    }
    files["switches.d/s.yaml"] = "to: rocky-9@1\nnodes: n1\nstate: running\n"
    with current(write_site(tmp_path, files)):
        return tmp_path


def shown(root: Path, *words: str) -> str:
    result = CliRunner().invoke(prov, ["--root", str(root), *words])
    assert result.exception is None
    return result.stdout


@each_listing
def test_a_listing_is_records_that_each_have_a_name(root: Path, words: tuple[str, ...]) -> None:
    records = json.loads(shown(root, *words, "--format", "json"))

    assert isinstance(records, list)
    assert all(isinstance(each, Mapping) and next(iter(each)) == "name" for each in records)


@each_listing
def test_a_listing_says_the_same_in_json_and_yaml_and_names_come_first_in_tables(
    root: Path, words: tuple[str, ...]
) -> None:
    records = json.loads(shown(root, *words, "--format", "json"))

    assert yaml.safe_load(shown(root, *words, "--format", "yaml")) == records
    table = shown(root, *words).splitlines()
    assert [line.split()[0] for line in table] == ["NAME", *(each["name"] for each in records)]


@pytest.mark.parametrize("words", SHOWN, ids=" ".join)
def test_what_is_shown_is_one_record_with_a_name(root: Path, words: tuple[str, ...]) -> None:
    record = json.loads(shown(root, *words, "--format", "json"))

    assert next(iter(record)) == "name"
    assert yaml.safe_load(shown(root, *words, "--format", "yaml")) == record


def test_every_command_that_lists_is_looked_at_here() -> None:
    context = click.Context(prov)
    groups = ((name, prov.get_command(context, name)) for name in prov.list_commands(context))
    found = {
        (name, verb)
        for name, each in groups
        if isinstance(each, click.Group)
        for verb in each.list_commands(context)
        if verb == "list"
    }

    assert found == {*LISTINGS, *NAMELESS}
