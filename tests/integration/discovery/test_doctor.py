"""`prov doctor` at a real head node: faults that are really there, with the daemon up and down."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from provisioner.errors import CommandError
from provisioner.lab.daemon import prov
from provisioner.operations import live
from tests.integration.discovery.conftest import SITE
from tests.support.daemon import ADDRESS, HeadNode, eventually
from tests.support.packets import OVMF_PXE

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("curl", "ip", "iptables", "openssl")]


def _examined(head: HeadNode, *words: str) -> dict[str, Any]:
    """What the doctor says, by the names of the checks; its exit status tells whether there are faults."""
    script = ["sh", "-c", '"$@" > "$0"; echo $?', str(head.new_file()), *prov(head.paths, "doctor", *words)]
    status = head.namespace.run([*script, "--format", "json"])
    findings = json.loads(Path(script[3]).read_text())["findings"]
    assert int(status) == (1 if any(each["severity"] == "fault" for each in findings) else 0)
    return {each["check"]: each for each in findings}


@contextmanager
def _changed(head: HeadNode, there: str, back: str) -> Iterator[None]:
    """The namespace with a command carried out, and taken back afterwards."""
    head.namespace.run(there.split())
    try:
        yield
    finally:
        head.namespace.run(back.split())


@contextmanager
def _down(head: HeadNode) -> Iterator[None]:
    head.daemon.stop()
    try:
        yield
    finally:
        head.daemon.start()


def _send(head: HeadNode, datagram: bytes) -> None:
    program = (
        "import socket; s = socket.socket(2, 2); s.setsockopt(1, 6, 1); "
        f"s.sendto(bytes.fromhex({datagram.hex()!r}), ({str(ADDRESS.ip)!r}, 67))"
    )
    head.namespace.run([sys.executable, "-c", program])


def test_a_head_node_that_serves_well_has_no_fault(head: HeadNode) -> None:
    found = _examined(head)

    # What machines did in other tests is theirs.
    assert [each for each in found.values() if (each["severity"], each["subject"]) == ("fault", "head")] == []


def test_a_daemon_that_was_stopped_is_the_fault_and_the_look_still_works(head: HeadNode) -> None:
    with _down(head):
        found = _examined(head)

    assert "daemon-down" in found
    assert "port-unserved" not in found


def test_an_address_that_no_device_has_is_named(head: HeadNode) -> None:
    head.write("provisioner.yaml", SITE.replace("cidr:", "server: 10.66.0.250, cidr:"))
    live.reload(head.paths)

    assert _examined(head)["address-missing"]["fix"] == ["ip address add 10.66.0.250/24 dev DEVICE"]


def test_a_device_that_is_down_is_named(head: HeadNode) -> None:
    with _changed(head, "ip link set prov0 down", "ip link set prov0 up"):
        assert "prov0" in _examined(head)["link-down"]["message"]


def test_a_packet_filter_that_drops_everything_is_named(head: HeadNode) -> None:
    with _changed(head, "iptables -P INPUT DROP", "iptables -P INPUT ACCEPT"):
        assert "DHCP (udp 67)" in _examined(head)["firewall-drops"]["message"]


def test_another_program_on_the_dhcp_port_is_named_while_the_daemon_is_down(head: HeadNode) -> None:
    program = "import socket, time; s = socket.socket(2, 2); s.bind(('', 67)); print(flush=True); time.sleep(600)"
    with _down(head), head.new_file().open("wb") as output:
        intruder = head.namespace.spawn([sys.executable, "-c", program], output=output, cwd=head.paths.site)
        try:
            eventually(lambda: "port-taken" in _examined(head))
            assert "python" in _examined(head)["port-taken"]["message"]
        finally:
            intruder.kill()


def test_a_mistake_in_what_is_written_is_named_with_its_place(head: HeadNode) -> None:
    head.write("nodes.d/wrong.yaml", "nodes: {n001: {groups: [nobody]}}\n")

    assert "nodes.d/wrong.yaml:1" in _examined(head)["site-mistakes"]["evidence"][0]["text"]


def test_an_artifact_that_is_cut_short_is_named_with_the_nodes_that_boot_it(head: HeadNode) -> None:
    artifact = next(
        each for each in (head.paths.images / "artifacts/sha256").iterdir() if each.stat().st_size > 9999
    )
    content = artifact.read_bytes()
    artifact.write_bytes(content[:-1])
    try:
        assert "n[001-060]" in _examined(head)["image-damaged"]["subject"]
    finally:
        artifact.write_bytes(content)


def test_a_key_that_others_may_read_is_named(head: HeadNode) -> None:
    key = head.paths.keys / "site.key"
    key.chmod(0o644)
    try:
        assert _examined(head)["secret-exposed"]["fix"] == [f"chmod 600 {key}"]
    finally:
        key.chmod(0o600)


def test_a_certificate_that_ends_soon_is_named(head: HeadNode) -> None:
    place = head.paths.keys / "own.crt"
    head.namespace.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=head", "-days", "3"),
            *("-keyout", "/dev/null", "-out", str(place)),
        ]
    )
    try:
        assert str(place) in _examined(head)["certificate-ends"]["message"]
    finally:
        place.unlink()


def test_stage_1_that_gives_up_is_told_with_its_meaning_and_the_head_is_not(head: HeadNode) -> None:
    machine = head.machine()
    token = machine.start().stage1
    machine.report(token, "stage1.started")
    machine.report(token, "failed", reason="not enough memory: 400 MiB free, the root image needs 900 MiB")
    machine.reaches("failed")

    found = _examined(head, machine.node)

    assert set(found) == {"memory-short"}
    assert found["memory-short"]["nodes"] == [machine.node]


def test_a_token_that_is_used_after_its_time_is_told_of_its_node(head: HeadNode) -> None:
    machine = head.machine()
    tokens = machine.start()
    machine.report(tokens.stage1, "handover.done")
    machine.get(f"/t/{tokens.stage1}/root")
    machine.saw("access.denied")

    assert machine.node in _examined(head, machine.node)["token-alarm"]["subject"]


def test_failed_units_of_a_running_node_are_told(head: HeadNode) -> None:
    machine = head.machine()
    machine.report(machine.hand_over(), "system.report", state="degraded", failed="munge.service", clock="1000")
    machine.reaches("degraded")

    found = _examined(head, machine.node)

    assert "munge.service" in found["units-failed"]["message"]
    assert "behind" in found["clock-far"]["message"]


def test_a_relay_of_a_network_that_the_site_does_not_have_is_told(head: HeadNode) -> None:
    _send(head, OVMF_PXE.datagram(1, mac="52:54:00:cc:00:01", giaddr=bytes((10, 99, 0, 1))))
    eventually(lambda: any("10.99.0.1" in event.message for event in head.events("dhcp.ignored")))

    assert _examined(head)["relay-unknown"]["subject"] == "10.99.0.1"


def test_a_network_with_larger_packets_than_its_device_is_told(head: HeadNode) -> None:
    head.write("provisioner.yaml", SITE.replace("cidr:", "mtu: 9000, cidr:"))
    eventually(lambda: "mtu-differs" in _examined(head))


def test_a_node_that_does_not_exist_is_an_error_and_no_diagnosis(head: HeadNode) -> None:
    with pytest.raises(CommandError, match="nobody"):
        head.prov("doctor", "nobody")
