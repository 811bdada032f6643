"""Edits while machines boot: a boot holds to its revision, and a bad edit reaches nobody."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable

import pytest

from provisioner.operations import live
from tests.support.daemon import URL, HeadNode, Machine, add_generation, eventually

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("curl")]

MOTD = "overlays/motd/rootfs/etc/motd.j2"
NODES = "nodes.d/rack2.yaml"


def overlay_of(machine: Machine, token: str) -> bytes:
    return machine.get(f"/t/{token}/overlay/system").body


def serving(head: HeadNode, holds: Callable[[dict[str, object]], bool]) -> None:
    """Wait until what the daemon says of itself holds."""
    eventually(lambda: holds(live.status(head.paths) or {}))


def edit(head: HeadNode, name: str, text: str) -> None:
    """Write a file and wait until the daemon serves another revision."""
    before = head.revision
    head.write(name, text)
    serving(head, lambda status: status["revision"] != before)


def test_an_overlay_edited_between_script_and_fetch_reaches_the_next_boot_and_not_this_one(head: HeadNode) -> None:
    machine, other = head.machine(), head.machine()
    token = machine.start().stage1
    sheet = machine.get(f"/t/{token}/sheet").pairs

    edit(head, MOTD, "edited for {{ node.name }}\n")

    old, new = overlay_of(machine, token), overlay_of(other, other.start().stage1)
    assert hashlib.sha256(old).hexdigest() == sheet["overlay_sha256"]
    assert f"welcome to {machine.node}".encode() in old
    assert f"edited for {other.node}".encode() in new


def test_the_status_shows_that_a_node_would_boot_something_newer(head: HeadNode) -> None:
    machine = head.machine()
    machine.hand_over()

    edit(head, MOTD, "a third greeting\n")

    (shown,) = [node for node in head.status()["nodes"] if node["node"] == machine.node]
    assert shown["outdated"] == f"revision {head.revision[:16]}"


def test_an_edit_between_two_scripts_is_a_new_boot_and_never_a_mixture(head: HeadNode) -> None:
    machine = head.machine()
    machine.start()
    first = machine.boot

    edit(head, MOTD, "between two scripts\n")
    machine.start()

    assert machine.boot.id != first.id
    assert (first.revision, machine.boot.revision) != (head.revision, first.revision)


def test_a_new_generation_is_booted_next_and_a_boot_under_way_keeps_its_own(head: HeadNode) -> None:
    machine, other = head.machine(), head.machine()
    token = machine.start().stage1

    add_generation(head.paths, root=b"another root")
    live.reload(head.paths)

    assert len(machine.get(f"/t/{token}/root").body) > 1_000_000
    assert other.get(f"/t/{other.start().stage1}/root").body == b"another root"


def test_a_bad_edit_reaches_nobody_and_the_status_names_file_line_and_column(head: HeadNode) -> None:
    machine, good = head.machine(), head.revision

    head.write(NODES, "nodes:\n  n001: {colour: red}\n")
    serving(head, lambda status: bool(status["problems"]))

    assert f"revision {good[:16]}" in machine.get(f"/boot/{machine.mac}").text
    place = f"{NODES}:2:10: unknown key 'colour'"
    assert place in head.prov("status")
    assert place in head.prov_fails("check").output
    eventually(lambda: any("still serving" in event.message for event in head.events("site.broken")))

    head.write(NODES, "nodes:\n  n001: {tags: {colour: red}}\n")
    serving(head, lambda status: not status["problems"])

    assert head.revision != good
    assert f"revision {head.revision[:16]}" in machine.get(f"/boot/{machine.mac}").text
    assert place not in head.prov("status")


def test_a_folder_of_overlays_that_appears_is_watched_from_then_on(head: HeadNode) -> None:
    machine = head.machine()
    edit(head, "templates/own.ipxe.j2", "#!ipxe\n# of my own\n")

    edit(
        head,
        "groups.d/compute.yaml",
        f"{(head.paths.site / 'groups.d/compute.yaml').read_text()}    script: own\n",
    )
    edit(head, "templates/own.ipxe.j2", "#!ipxe\n# edited\n")

    assert head.broken.get(f"/boot/{head.broken.mac}").text == "#!ipxe\n# edited\n"
    assert "boots demo@" in machine.get(f"/boot/{machine.mac}").text


def test_edits_are_served_in_a_folder_that_took_the_place_of_another_one(head: HeadNode) -> None:
    groups = head.paths.group_files
    for number in range(3):
        shutil.copytree(groups, head.paths.site / "new")
        shutil.rmtree(groups)
        (head.paths.site / "new").rename(groups)

        edit(head, "groups.d/more.yaml", f"groups: {{more: {{tags: {{number: n{number}}}}}}}\n")


def test_a_damaged_record_of_an_image_is_told_and_later_edits_are_still_served(head: HeadNode) -> None:
    record = head.paths.images / "images/other/generations/1.json"
    record.parent.mkdir(parents=True)
    record.write_text("rubbish")

    head.write(MOTD, "while a record is damaged\n")
    serving(head, lambda status: "1.json is no record of a generation" in str(status["problems"]))
    record.unlink()
    head.write(MOTD, "after it was repaired\n")
    serving(head, lambda status: not status["problems"])

    machine = head.machine()
    # A look between the repair and the edit finds no problem either.
    eventually(lambda: b"after it was repaired" in overlay_of(machine, machine.start().stage1))


# It ends after ten seconds of the processor, of which others take their share.
@pytest.mark.timeout(400)
def test_a_template_without_end_fails_its_own_request_while_others_are_answered(head: HeadNode) -> None:
    token = head.endless.start().stage1
    body, code = head.new_file(), head.new_file()
    sent = ("curl", "--silent", "--max-time", "300", "--interface", head.endless.address)
    words = (*sent, "--output", body, "--write-out", "%{http_code}")
    with code.open("wb") as output:
        stuck = head.namespace.spawn([*words, f"{URL}/t/{token}/sheet"], output=output, cwd=body.parent)

        machine = head.machine()
        sheet = machine.get(f"/t/{machine.start().stage1}/sheet")

        assert stuck.running
        assert sheet.status == 200
        assert stuck.wait(310)
    assert code.read_text() == "422"
    assert "the system overlay of endless: it took more than" in body.read_text()


def test_the_control_socket_reloads_at_once_and_records_who_asked(head: HeadNode) -> None:
    head.write(MOTD, "reloaded\n")

    answer = live.reload(head.paths)

    assert answer is not None
    assert answer["revision"] == head.revision
    assert "reload asked for by user 0" in head.log()


def test_only_owner_and_group_may_use_the_control_socket(head: HeadNode) -> None:
    assert head.paths.control_socket.stat().st_mode & 0o777 == 0o660
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "curl", "--silent", "--unix-socket"]

    done = subprocess.run(
        [*command, head.paths.control_socket, "http://localhost/v1/status"], check=False, capture_output=True
    )

    assert done.returncode == 7, "curl could connect"


def test_a_command_that_does_not_exist_is_answered_on_the_control_socket_with_a_body(head: HeadNode) -> None:
    answer = subprocess.run(
        ["curl", "--silent", "--unix-socket", head.paths.control_socket, "http://localhost/v1/nothing"],
        check=True,
        capture_output=True,
    )

    assert b"404" in answer.stdout


def test_a_change_that_needs_a_restart_is_said_and_not_half_served(head: HeadNode) -> None:
    before = (head.paths.site / "provisioner.yaml").read_text()

    head.write("provisioner.yaml", f"{before}\nports: {{http: 18081}}\n")
    serving(head, lambda status: "have changed" in str(status["problems"]))
    machine = head.machine()
    assert "/t/" in machine.get(f"/boot/{machine.mac.hyphenated}").text

    head.write("provisioner.yaml", before)
    serving(head, lambda status: not status["problems"])
