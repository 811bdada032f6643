"""What machines get after an order, after failed boots and from a menu: asked of the real daemon."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.boot.controlfolder import ControlFolder
from provisioner.events.bootlogs import MOST_PACKED
from provisioner.model.bootcontrol import NOTHING
from tests.support.daemon import IMAGE, HeadNode, Machine, add_generation, head_node

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("curl", "ip")]


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeadNode]:
    """A daemon whose nodes are assigned to the second of two generations, and of which n060 has a menu."""
    with head_node(tmp_path_factory.mktemp("head")) as head:
        add_generation(head.paths, root=b"another root" * 100)
        head.write("nodes.d/menu.yaml", "nodes: {n060: {boot: {menu: true}}}\n")
        head.daemon.start()
        yield head
        head.daemon.stop()
        assert "Traceback" not in head.log()


def script(machine: Machine, query: str = "") -> str:
    return machine.get(f"/boot/{machine.mac.hyphenated}{query}").text


def generation(text: str) -> str:
    found = re.search(r" boots (\S+) at revision", text)
    assert found, text
    return found[1]


def stage1_token(text: str) -> str:
    found = re.search(r"prov\.token=(\S+)", text)
    assert found, text
    return found[1]


def fail_boots(head: HeadNode, machine: Machine, count: int) -> None:
    for _ in range(count):
        assert machine.report(machine.start().stage1, "failed", reason="no").status == 200


def be_ready(machine: Machine) -> None:
    assert machine.report(machine.hand_over(), "system.report", state="running").status == 200
    machine.reaches("ready")


def test_an_order_is_followed_at_the_next_script_and_used_up_by_stage_1(head: HeadNode, machine: Machine) -> None:
    assert generation(script(machine)) == f"{IMAGE}@2"
    head.prov("boot", "set", machine.node, "--once", f"{IMAGE}@1")

    followed = script(machine)
    # A download broke off, and the machine asks again.
    again = script(machine)
    machine.report(stage1_token(again), "stage1.started")

    assert (generation(followed), generation(again)) == (f"{IMAGE}@1", f"{IMAGE}@1")
    assert ControlFolder(head.paths.state).read(machine.node) == NOTHING
    assert generation(script(machine)) == f"{IMAGE}@2"
    assert "once demo@1, ordered by root" in machine.saw("boot.override").message


def test_an_order_survives_the_daemon_and_may_be_given_while_it_is_down(head: HeadNode, machine: Machine) -> None:
    head.daemon.stop()
    try:
        head.prov("boot", "set", machine.node, "--once", "rescue")
    finally:
        head.daemon.start()

    text = script(machine)

    assert "prov.rescue=1" in text
    assert machine.report(stage1_token(text), "rescue.entered", ssh="no").status == 200
    machine.reaches("rescue")
    assert "prov.rescue" not in script(machine)


def test_an_order_taken_back_is_none(head: HeadNode, machine: Machine) -> None:
    head.prov("boot", "set", machine.node, "--once", "rescue")
    assert "next boot: once rescue, ordered by root" in head.prov("status", machine.node)
    assert f"next boot of {machine.node}: once rescue" in head.prov("boot", "list")
    assert f"next boot of {machine.node}: once rescue" in head.prov("node", "show", machine.node)
    assert "a rescue shell of demo@2" in head.prov("why", machine.node, "boot")

    assert head.prov("boot", "unset", machine.node) == f"{machine.node}: no order any more\n"

    assert "prov.rescue" not in script(machine)
    assert "next boot" not in head.prov("status", machine.node)


def test_the_disk_is_booted_once_and_its_boot_has_no_image_and_no_token(head: HeadNode, machine: Machine) -> None:
    head.prov("boot", "set", machine.node, "--once", "disk")

    text = script(machine)

    assert "sanboot --no-describe --drive 0x80" in text
    assert "prov.token" not in text
    assert "boots its own disk" in machine.saw("script.local").message
    (boot,) = json.loads(head.prov("boot", "list", machine.node, "--format", "json"))
    assert (boot["state"], boot["generation"]) == ("local", None)


def test_another_address_neither_gets_what_was_ordered_nor_uses_it_up(head: HeadNode, machine: Machine) -> None:
    head.prov("boot", "set", machine.node, "--once", "disk")
    other = head.machine()

    answer = other.get(f"/boot/{machine.mac.hyphenated}").text

    assert "cannot boot this machine" in answer
    assert "sanboot" in script(machine)


def test_a_memory_test_that_the_head_node_has_not_is_refused_at_once(head: HeadNode, machine: Machine) -> None:
    if Path("/boot/memtest86+x64.bin").exists():
        pytest.fail("take memtest86+ off this machine: the test is about a head node without it")

    error = head.prov_fails("boot", "set", machine.node, "--once", "memtest")

    assert "no memory test" in str(error)
    assert "apt-get install memtest86+" in str(error)


@pytest.mark.parametrize(
    ("what", "words"), [("nothing", "there is no image nothing"), (f"{IMAGE}@9", f"{IMAGE}@9")]
)
def test_what_cannot_be_booted_cannot_be_ordered(head: HeadNode, machine: Machine, what: str, words: str) -> None:
    error = head.prov_fails("boot", "set", machine.node, "--once", what)

    assert words in str(error)
    assert ControlFolder(head.paths.state).read(machine.node) == NOTHING


def test_after_three_failed_boots_a_node_gets_what_was_ready_on_it_until_it_is_retried(
    head: HeadNode, machine: Machine
) -> None:
    head.prov("boot", "set", machine.node, "--once", f"{IMAGE}@1")
    be_ready(machine)
    fail_boots(head, machine, 2)
    assert generation(script(machine)) == f"{IMAGE}@2"
    fail_boots(head, machine, 1)

    given = script(machine)

    assert generation(given) == f"{IMAGE}@1"
    told = f"{IMAGE}@1, because 3 boots of {IMAGE}@2 failed"
    assert told in machine.saw("boot.fallback").message
    assert f"next boot: last good {told}" in head.prov("status", machine.node)
    assert f"last good: {told}" in head.prov("why", machine.node, "boot")
    # It stays with it, however well it does.
    machine.report(stage1_token(given), "stage1.started")
    be_ready(machine)
    assert generation(script(machine)) == f"{IMAGE}@1"

    head.prov("boot", "retry", machine.node)

    assert generation(script(machine)) == f"{IMAGE}@2"


def test_another_image_ends_a_fall_back(head: HeadNode, machine: Machine) -> None:
    head.prov("boot", "set", machine.node, "--once", f"{IMAGE}@1")
    be_ready(machine)
    fail_boots(head, machine, 3)
    assert generation(script(machine)) == f"{IMAGE}@1"

    head.prov("node", "set", machine.node, "--yes", "--image", f"{IMAGE}@1")
    script(machine)
    head.prov("node", "set", machine.node, "--yes", "--image", f"{IMAGE}@2")

    assert generation(script(machine)) == f"{IMAGE}@2"
    assert "another image" in machine.saw("boot.returned").message


def test_a_damaged_order_costs_the_order_and_no_boot(head: HeadNode, machine: Machine) -> None:
    head.prov("boot", "set", machine.node, "--once", "rescue")
    (head.paths.state / "boot-control" / f"{machine.node}.json").write_text("{")
    try:
        assert generation(script(machine)) == f"{IMAGE}@2"
        assert f"boot-control/{machine.node}.json" in head.log()
    finally:
        (head.paths.state / "boot-control" / f"{machine.node}.json").unlink()


def test_a_node_with_a_menu_gets_it_and_a_choice_goes_through_the_same_rules(head: HeadNode) -> None:
    machine = Machine(head, "n060", 60)

    menu = script(machine)
    plain = script(machine, "?choose=boot")
    rescue = script(machine, "?choose=rescue")
    stranger = head.machine().get(f"/boot/{machine.mac.hyphenated}?choose=rescue").text

    assert "item boot" in menu
    assert "item rescue" in menu
    assert "prov.token" not in menu
    assert generation(plain) == f"{IMAGE}@2"
    assert "prov.rescue=1" in rescue
    assert "prov.token" not in stranger
    # An order of an administrator goes before it.
    head.prov("boot", "set", machine.node, "--once", "disk")
    assert "sanboot" in script(machine)


def test_a_choice_is_not_heard_where_there_is_no_menu(machine: Machine) -> None:
    assert "prov.rescue" not in script(machine, "?choose=rescue")


def test_a_log_is_kept_for_its_boot_and_printed(head: HeadNode, machine: Machine, tmp_path: Path) -> None:
    token = machine.start().stage1
    packed = tmp_path / "log"
    packed.write_bytes(gzip.compress(b"[    0.0] Linux\n\x1b[2Jprovisioner: FAILED: x\n"))

    assert machine.report(token, "failed", reason="x").status == 200
    assert machine.get(f"/t/{token}/log", "--data-binary", f"@{packed}").status == 200

    # What would clear the screen of whoever reads it is shown, not sent.
    assert head.prov("boot", "log", machine.node) == "[    0.0] Linux\n\\x1b[2Jprovisioner: FAILED: x\n"
    assert "Linux" in head.prov("boot", "log", machine.boot.id[:8])


def test_a_log_that_is_too_large_or_comes_without_a_right_is_refused(machine: Machine, tmp_path: Path) -> None:
    tokens = machine.start()
    large = tmp_path / "log"
    large.write_bytes(bytes(MOST_PACKED + 1))

    assert machine.get(f"/t/{tokens.stage1}/log", "--data-binary", f"@{large}").status == 413
    assert machine.get(f"/t/{tokens.script}/log", "--data-binary", "x").status == 403
    assert machine.get("/t/x.y/log", "--data-binary", "x").status == 403


def test_a_boot_without_a_log_is_told(head: HeadNode, machine: Machine) -> None:
    machine.start()

    assert "there is no log of the boot" in str(head.prov_fails("boot", "log", machine.node))
