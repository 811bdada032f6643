"""Machines that are looked at: what they get, what is taken of them, and what is not."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from provisioner.model.address import MacAddress
from tests.support.daemon import IMAGE, KERNEL, STAGE1, HeadNode, Machine, head_node

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("curl", "ip")]

STRAY = MacAddress("02:00:00:00:00:77")


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeadNode]:
    with head_node(tmp_path_factory.mktemp("head")) as head:
        site = (head.paths.site / "provisioner.yaml").read_text()
        head.write("provisioner.yaml", f"{site}discovery: {{image: {IMAGE}}}\n")
        head.daemon.start()
        yield head
        head.daemon.stop()
        assert "Traceback" not in head.log()


def ask(machine: Machine, mac: MacAddress = STRAY) -> str:
    return machine.get(f"/boot/{mac.hyphenated}?serial=x1").text


def tell(machine: Machine, mac: object, text: str) -> tuple[int, str]:
    answer = machine.get(f"/survey/{mac}", "--data-binary", text)
    return answer.status, answer.text


def test_a_machine_that_is_no_node_gets_stage_1_without_any_token(machine: Machine) -> None:
    text = ask(machine)

    assert "prov.root=none" in text
    assert f"prov.mac={STRAY}" in text
    assert "prov.token" not in text
    assert machine.get("/survey/kernel").body == KERNEL
    assert machine.get("/survey/stage1").body == STAGE1
    assert machine.get("/survey/root").status == 404


def test_what_it_tells_is_shown_and_what_a_node_tells_too(head: HeadNode, machine: Machine) -> None:
    ask(machine)

    assert tell(machine, STRAY, "cpu_threads=4\nnic_eth0=x\n") == (200, "wait")
    token = machine.start().stage1
    assert machine.get(f"/t/{token}/hardware", "--data-binary", "cpu_threads=8\n").status == 200

    stray = json.loads(head.prov("discover", "show", str(STRAY), "--format", "json"))
    assert stray == {"cpu_threads": "4", "nic_eth0": "x"}
    assert "cpu_threads  8" in head.prov("discover", "show", machine.node)


def test_a_machine_that_became_a_node_is_told_to_restart_and_nothing_is_taken_of_it(
    head: HeadNode, machine: Machine
) -> None:
    assert tell(machine, machine.mac, "cpu_threads=666\n") == (200, "restart")

    assert "has not told" in str(head.prov_fails("discover", "show", machine.node))


@pytest.mark.parametrize(
    ("mac", "text", "status"),
    [
        (STRAY, "no pair\n", 400),
        (STRAY, "a=1\n" * 65, 400),
        (STRAY, f"a={'x' * 20_000}", 413),
        ("../../etc/passwd", "a=1\n", 404),
        ("nonsense", "a=1\n", 400),
        ("02:00:00:00:00:78", "a=1\n", 404),
    ],
)
def test_what_is_no_report_or_of_nobody_is_refused(machine: Machine, mac: object, text: str, status: int) -> None:
    ask(machine)

    assert tell(machine, mac, text)[0] == status


def test_the_token_of_a_script_tells_nothing_of_hardware(machine: Machine) -> None:
    assert machine.get(f"/t/{machine.start().script}/hardware", "--data-binary", "a=1").status == 403
