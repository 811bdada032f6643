"""What is told of whom, and that every check is documented."""

from __future__ import annotations

import importlib
import re
from dataclasses import replace
from pathlib import Path

import click

from provisioner.cli.main import COMMANDS
from tests.support.ward import HEALTHY, Ward

_CHECKOUT = Path(__file__).resolve().parents[4]
_NAMED = re.compile(
    r'(?:of_head|of_node|Finding|_cause|_about|_stalled)\(\s*(?:trail,\s*|evidence,\s*boot,\s*)?"([a-z0-9-]+)"'
)


def _checks() -> set[str]:
    modules = (_CHECKOUT / "provisioner/operations/doctor").glob("*c[ha]*s.py")
    return {"token-alarm", "alarm", "boot-failed"}.union(*(_NAMED.findall(each.read_text()) for each in modules))


def test_about_one_node_only_what_concerns_it_is_told(ward: Ward) -> None:
    ward.booted("degraded", reason="a.service").booted("degraded", reason="b.service", node="n002")

    assert ward.findings(["n002"])["units-failed"].nodes == ("n002",)


def test_a_fault_of_the_head_node_concerns_every_node_and_its_warnings_do_not(ward: Ward) -> None:
    ward.facts.update(daemon=None, host=replace(HEALTHY, listeners=()))
    ward.saw("loader.missing", "no such file")

    assert set(ward.findings(["n001"])) == {"daemon-down"}


def test_the_worst_comes_first_and_equal_findings_are_one(ward: Ward) -> None:
    ward.saw("script.unknown", mac="52:54:00:99:00:01")
    for node in ("n001", "n002"):
        ward.booted("failed", reason="eth0 has no link after 60 s", node=node)

    found = list(ward.findings().values())

    assert [each.check for each in found] == ["no-link", "machines-unknown"]
    assert found[0].subject == "n[001-002]"


def test_every_check_is_in_the_failure_guide() -> None:
    rows = set(re.findall(r"^\| `([a-z0-9-]+)`", (_CHECKOUT / "docs/doctor.md").read_text(), re.MULTILINE))

    assert len(_checks()) > 45
    assert _checks() == rows


def test_every_command_that_helps_exists() -> None:
    modules = (_CHECKOUT / "provisioner/operations/doctor").glob("*c[ha]*s.py")
    named = {match for each in modules for match in re.findall(r'"prov ([a-z]+) ?([a-z]+)?', each.read_text())}

    assert len(named) > 5
    for verb, word in named:
        assert verb in COMMANDS
        found = importlib.import_module(f"provisioner.cli.{COMMANDS[verb][0]}").command
        if isinstance(found, click.Group) and not (found.invoke_without_command and not word):
            assert found.get_command(click.Context(found), word) is not None, f"prov {verb} {word}"


def test_every_check_is_provoked_by_a_test() -> None:
    texts = "".join(each.read_text() for each in Path(__file__).parent.glob("test_*checks.py"))

    assert {each for each in _checks() if f'"{each}"' not in texts} == set()
