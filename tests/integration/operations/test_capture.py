"""A capture of a machine's boot on a real link: filtered in the kernel, masked, explained, and read by tcpdump."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from provisioner.host.run import run
from provisioner.lab.daemon import prov
from tests.support.daemon import ADDRESS, ROOT, HeadNode, Machine, eventually, head_node

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("curl", "ip", "tcpdump")]


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeadNode]:
    """A head node; its machines are addresses of itself, so what they say is heard on `lo`."""
    with head_node(tmp_path_factory.mktemp("head")) as head:
        head.daemon.start()
        yield head


@dataclass
class Captured:
    """What a capture printed and kept."""

    lines: list[dict[str, Any]]
    file: Path
    said: str

    def texts(self, service: str) -> list[str]:
        return [line["text"] for line in self.lines if line["service"] == service]

    def tcpdump(self, *words: str) -> str:
        return run(["tcpdump", "-n", *words, "-r", self.file])


def captured(head: HeadNode, machine: Machine, file: Path, *options: str) -> Captured:
    """Capture a machine that boots up to its root image while another one does the same."""
    log = file.with_suffix(".log")
    words = (
        "capture",
        machine.node,
        "--device",
        "lo",
        "--seconds",
        "300",
        "--output",
        str(file),
        "--format",
        "json",
    )
    with log.open("wb") as output:
        process = head.namespace.spawn(prov(head.paths, *words, *options), output=output, cwd=file.parent)
    while "listening" not in log.read_text():
        assert process.running, log.read_text()
    other = head.machine()
    for each in (machine, other):
        tokens = each.start()
        assert each.get(f"/t/{tokens.stage1}/root").body == ROOT
        each.get("/t/made-up/root")
    eventually(lambda: "denied" in log.read_text() or not process.running, patience=120)
    process.send(signal.SIGINT)
    assert process.wait(60)
    text = log.read_text()
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return Captured(lines, file, text)


def test_a_boot_is_explained_and_the_file_holds_it_without_tokens(head: HeadNode, tmp_path: Path) -> None:
    machine = head.machine()
    shown = captured(head, machine, tmp_path / "boot.pcapng")

    http = shown.texts("http")
    assert http[0] == f"GET /boot/{machine.mac.hyphenated}"
    assert f"200 OK, {len(ROOT)} bytes" in http
    assert "GET /t/.../root" in http
    assert any(text.startswith("403 Forbidden") and "not a token" in text for text in http)
    asked = next(line for line in shown.lines if line["text"] == http[0])
    assert asked["policy"].startswith(f"{machine.node} boots demo@1")
    assert any(text.startswith("script.boot") for text in shown.texts("daemon"))
    content = shown.file.read_bytes()
    assert b"GET /t/xxx" in content
    assert not re.search(rb"/t/(?!x+[/ ]|\.\.\./)[^\s]+/", content)
    assert shown.file.stat().st_mode & 0o077 == 0


def test_tcpdump_reads_the_machine_and_nobody_else_from_either_format(head: HeadNode, tmp_path: Path) -> None:
    for name in ("boot.pcapng", "boot.pcap"):
        machine = head.machine()
        shown = captured(head, machine, tmp_path / name)

        printed = shown.tcpdump()
        assert f"IP {machine.address}." in printed
        strangers = shown.tcpdump(f"not host {machine.address}")
        assert strangers == ""
        assert f"{ADDRESS.ip}.8080" in printed
        # Contents are cut off, and what the wire had of them is still told.
        assert shown.file.stat().st_size < len(ROOT) // 4
        assert "warning" not in shown.said


def test_a_file_never_becomes_larger_than_it_may(head: HeadNode, tmp_path: Path) -> None:
    machine = head.machine()
    shown = captured(head, machine, tmp_path / "boot.pcap", "--secrets", "--limit", "1")

    assert len(ROOT) > 1 << 20
    assert shown.file.stat().st_size <= 1 << 20
    assert "the file is full (1 MiB)" in shown.said
    assert "IP " in shown.tcpdump()


def test_what_is_no_node_and_no_mac_is_refused(head: HeadNode) -> None:
    assert "there is no node nobody" in str(head.prov_fails("capture", "nobody").output)
