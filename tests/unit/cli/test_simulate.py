"""`prov simulate`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from provisioner.cli import simulate
from provisioner.config.paths import Paths
from provisioner.operations.firmware import Asker
from tests.support.bootable import NODES, bootable, write


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return bootable(tmp_path)


def prov(paths: Paths, *words: str) -> Result:
    return CliRunner().invoke(simulate.command, list(words), obj=paths)


def test_one_node_is_shown_step_by_step(paths: Paths) -> None:
    shown = prov(paths, "n1", "--firmware", "bios")

    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    assert lines[:3] == [
        "boots demo@1: n1 (1 node)",
        "  dhcp bios        10.0.1.1 and undionly.kpxe",
        "  loader           undionly.kpxe by TFTP, 4 bytes",
    ]
    assert lines[-1].startswith("  overlay/runtime  1 file; ")


def test_many_nodes_are_one_line_where_all_goes_well(paths: Paths) -> None:
    assert prov(paths).output == "boots demo@1: n[1-3] (3 nodes)\n"


def test_problems_are_shown_with_what_to_do_and_the_status_is_1(paths: Paths) -> None:
    write(paths, "nodes.d/n.yaml", NODES.replace('00:03"}}', '00:03"}}, image: gone'))

    shown = prov(paths, "@compute")

    assert shown.output == (
        "problem: n3 (1 node)\n"
        "  decision  PROBLEM: the image gone of n3 does not exist\n"
        "            hint: prov image list\n"
        "boots demo@1: n[1-2] (2 nodes)\n"
    )
    assert shown.exit_code == 1


def test_the_steps_of_many_are_shown_when_asked_for(paths: Paths) -> None:
    assert "  dhcp ipxe        {ip} and http://10.0.0.1:8080/boot/{mac}\n" in prov(paths, "--steps").output


def test_programs_get_json(paths: Paths) -> None:
    record = json.loads(prov(paths, "--where", "name=n2", "--format", "json").output)

    assert [outcome["nodes"] for outcome in record["outcomes"]] == ["n2"]


def test_the_firmware_that_can_be_asked_for_is_what_there_is() -> None:
    assert tuple(Asker) == simulate.FIRMWARE
