"""The way of a boot over HTTP, from the script to the ready report, with curl in the place of the machine."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from provisioner.host.run import run
from provisioner.operations.boots import timeline
from tests.support.daemon import KERNEL, ROOT, STAGE1, HeadNode, Machine

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("curl", "cpio", "busybox", "ip")]


def unpacked(archive: bytes, folder: Path) -> Path:
    run(["cpio", "--extract", "--make-directories", "--quiet"], stdin=archive, cwd=folder)
    return folder


def test_the_script_of_a_node_carries_a_token_for_itself_and_one_for_stage_1(machine: Machine) -> None:
    answer = machine.get(f"/boot/{machine.mac.hyphenated}")
    tokens = machine.start()

    assert answer.text.startswith(f"#!ipxe\n# {machine.node}.cluster.local boots demo@1 at revision ")
    assert f"prov.mac={machine.mac}" in answer.text
    assert "console=ttyS0" in answer.text
    assert tokens.script != tokens.stage1


def test_any_spelling_of_a_mac_is_the_same_machine(machine: Machine) -> None:
    spellings = (machine.mac, machine.mac.hyphenated.upper(), machine.mac.replace(":", ""))

    texts = {machine.get(f"/boot/{spelling}").text.splitlines()[1] for spelling in spellings}

    assert len(texts) == 1


@pytest.mark.parametrize(("name", "content"), [("kernel", KERNEL), ("stage1", STAGE1)])
def test_the_token_of_the_script_fetches_kernel_and_stage_1(machine: Machine, name: str, content: bytes) -> None:
    answer = machine.get(f"/t/{machine.start().script}/{name}")

    # Behind stage 1 come the keys of the site (test_trust.py).
    assert (answer.status, answer.body[: len(content)]) == (200, content)
    assert answer.headers["content-length"] == str(len(answer.body))


def test_a_broken_download_of_the_root_image_goes_on_where_it_ended(machine: Machine, tmp_path: Path) -> None:
    part = tmp_path / "root"
    part.write_bytes(ROOT[:1_000_001])

    answer = machine.get(f"/t/{machine.start().stage1}/root", "--continue-at", "-", output=part)

    assert part.read_bytes() == ROOT
    assert answer.status == 206
    assert answer.headers["content-range"] == f"bytes 1000001-{len(ROOT) - 1}/{len(ROOT)}"


@pytest.mark.parametrize("wanted", [f"bytes={len(ROOT)}-", "bytes=9-5", "bytes=x"])
def test_a_range_that_the_root_image_does_not_have_is_refused_with_its_size(machine: Machine, wanted: str) -> None:
    answer = machine.get(f"/t/{machine.start().stage1}/root", "--header", f"Range: {wanted}")

    assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{len(ROOT)}")
    assert wanted in answer.text


def test_a_precondition_is_refused_with_a_reason(machine: Machine) -> None:
    answer = machine.get(f"/t/{machine.start().stage1}/root", "--header", 'If-Match: "x"')

    assert answer.status == 412
    assert "ask without a condition" in answer.text


def test_head_tells_the_length_and_leaves_no_event_of_a_transfer(head: HeadNode, machine: Machine) -> None:
    token = machine.start().stage1
    answer = machine.get(f"/t/{token}/root", "--head")
    machine.get(f"/t/{token}/root")

    assert (answer.status, answer.headers["content-length"]) == (200, str(len(ROOT)))
    machine.saw("root.sent")
    assert len(machine.events("root.sent")) == 1


def test_the_sheet_names_what_stage_1_fetches_and_its_digests(machine: Machine) -> None:
    token = machine.start().stage1

    sheet = machine.get(f"/t/{token}/sheet").pairs
    root, overlay = machine.get(f"/t/{token}/root"), machine.get(f"/t/{token}/overlay/system")

    assert (sheet["node"], sheet["generation"]) == (machine.node, "demo@1")
    assert sheet["root_size"] == str(len(root.body))
    assert sheet["root_sha256"] == hashlib.sha256(root.body).hexdigest()
    assert sheet["overlay_sha256"] == hashlib.sha256(overlay.body).hexdigest()
    assert sheet["boot"] == machine.boot.id


def test_the_overlay_holds_the_files_of_this_node(machine: Machine, tmp_path: Path) -> None:
    answer = machine.get(f"/t/{machine.start().stage1}/overlay/system")

    tree = unpacked(answer.body, tmp_path)

    assert (tree / "etc/hostname").read_text() == f"{machine.node}\n"
    assert (tree / "etc/motd").read_text() == f"welcome to {machine.node}\n"
    assert f"MACAddress={machine.mac}" in (tree / "etc/systemd/network/10-eth0.network").read_text()


def test_every_report_takes_the_boot_one_stage_further(machine: Machine) -> None:
    tokens = machine.start()
    assert machine.boot.state == "script"

    assert machine.report(tokens.stage1, "stage1.started").status == 200
    machine.reaches("stage1")

    system = machine.report(tokens.stage1, "handover.done").text
    assert machine.boot.state == "system"

    runtime = machine.get(f"/t/{system}/overlay/runtime")
    assert b"127.0.0.1 localhost" in runtime.body

    fresh = machine.report(system, "system.report", state="running", failed="", kernel="6.1.0").text
    machine.reaches("ready")
    assert machine.report(fresh, "system.report", state="running").status == 200


def test_the_status_shows_what_a_ready_node_runs_and_the_timeline_how_it_came_there(
    head: HeadNode, machine: Machine
) -> None:
    tokens = machine.start()
    machine.get(f"/t/{tokens.script}/kernel")
    system = machine.report(tokens.stage1, "handover.done").text
    machine.report(system, "system.report", state="running", failed="", kernel="6.1.0-1")
    machine.reaches("ready")

    (shown,) = [node for node in head.status()["nodes"] if node["node"] == machine.node]

    assert (shown["state"], shown["running"], shown["outdated"]) == ("ready", "demo@1", "")
    assert shown["facts"]["kernel"] == "6.1.0-1"
    steps = timeline(head.paths, machine.node).steps
    names = [step.name for step in steps]
    assert names == ["script.boot", "kernel.sent", "handover.done", "system.report", "ready"]
    assert [step.bytes for step in steps if step.name == "kernel.sent"] == [len(KERNEL)]
    assert [step.at for step in steps] == sorted(step.at for step in steps)


def test_a_system_with_a_failed_unit_is_degraded_and_the_status_names_the_unit(machine: Machine) -> None:
    machine.report(machine.hand_over(), "system.report", state="degraded", failed="nfs.service")

    machine.reaches("degraded")
    assert "nfs.service" in machine.boot.reason


def test_a_failure_of_stage_1_is_the_state_of_the_node_with_its_reason(head: HeadNode, machine: Machine) -> None:
    machine.report(machine.start().stage1, "failed", reason="the root image has another digest")

    machine.reaches("failed")
    assert machine.boot.reason == "the root image has another digest"
    assert "the root image has another digest" in head.prov("status")


def test_a_machine_that_asks_for_its_script_again_goes_on_with_the_same_boot(
    head: HeadNode, machine: Machine
) -> None:
    first = machine.get(f"/t/{machine.start().stage1}/sheet").pairs["boot"]
    other = head.machine()
    other.start()
    before = other.boot.id
    other.start()

    assert other.boot.id == before
    assert machine.boot.id == first


def test_a_machine_that_came_further_and_asks_again_boots_anew(machine: Machine) -> None:
    first = machine.get(f"/t/{machine.start().stage1}/sheet").pairs["boot"]

    second = machine.get(f"/t/{machine.start().stage1}/sheet").pairs["boot"]

    assert second != first


def test_a_node_that_boots_its_own_disk_gets_no_token_and_its_status_says_so(
    head: HeadNode, machine: Machine
) -> None:
    tokens = machine.start()
    before = head.revision
    head.write("nodes.d/z.yaml", f"nodes: {{{machine.node}: {{boot: {{source: disk}}}}}}\n")
    head.serves_another(before)

    text = machine.get(f"/boot/{machine.mac.hyphenated}").text

    assert f"{machine.node} boots its own disk" in text
    assert "sanboot --no-describe --drive 0x80" in text
    assert "/t/" not in text
    assert machine.get(f"/t/{tokens.stage1}/sheet").status == 403
    status = next(each for each in head.status()["nodes"] if each["node"] == machine.node)
    assert (status["state"], status["assigned"], status["outdated"]) == ("local", None, "")
    assert "boots its own disk (boot.source set at " in status["reason"]
    assert machine.saw("script.local").boot == machine.boot.id
    assert "its own disk" in head.prov("boot", "show", machine.node)


def test_what_stage_1_tells_of_a_disk_has_bytes_and_seconds(machine: Machine) -> None:
    token = machine.start().stage1
    machine.report(token, "disk.installed", device="/dev/sda1", bytes="4711", started="1.5")
    machine.report(token, "disk.reused", device="/dev/sda1", bytes="x" * 99, started="nan")

    installed, reused = machine.saw("disk.installed"), machine.saw("disk.reused")

    assert (installed.bytes, installed.seconds) == (4711, 6.0)
    assert installed.message == "/dev/sda1, 7.5 s after the kernel started"
    assert (reused.bytes, reused.seconds) == (None, None)


def test_loaders_and_autoexec_are_there_for_firmware_that_boots_by_http(machine: Machine) -> None:
    assert len(machine.get("/loader/snponly.efi").body) > 100_000
    for path in ("/autoexec.ipxe", "/loader/autoexec.ipxe"):
        assert "chain --replace http://10.66.0.1:8080/boot/${netX/mac:hexhyp}" in machine.get(path).text


def test_the_timeline_starts_with_the_first_dhcp_packet_of_the_machine(
    head: HeadNode, machine: Machine, tmp_path: Path
) -> None:
    lease = ask_for_lease(head, machine, tmp_path)
    machine.start()

    # On a busy machine the client may ask twice.
    names = list(dict.fromkeys(step.name for step in timeline(head.paths, machine.node).steps))

    assert lease == f"{machine.address}/24 10.66.0.1"
    assert names == ["dhcp.discover", "dhcp.offer", "dhcp.request", "dhcp.ack", "script.boot"]


def ask_for_lease(head: HeadNode, machine: Machine, folder: Path) -> str:
    """What busybox's DHCP client gets on a device with the MAC of the machine: address, prefix, server."""
    script = folder / "udhcpc.sh"
    script.write_text('#!/bin/sh\n[ "$1" = bound ] && echo "$ip/$mask $serverid"; exit 0\n')
    script.chmod(0o755)
    for words in (
        ("link", "add", "nic", "address", machine.mac, "type", "veth", "peer", "name", "cable"),
        ("link", "set", "cable", "master", "prov0", "up"),
        ("link", "set", "nic", "up"),
    ):
        head.namespace.run(["ip", *words])
    options = ("-f", "-n", "-q", "-t", "10", "-T", "1", "-i", "nic", "-s", script)
    lease = head.namespace.run(["busybox", "udhcpc", *options])
    head.namespace.run(["ip", "link", "del", "nic"])
    return lease.splitlines()[-1]
