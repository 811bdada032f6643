"""`prov setup` with the programs that it runs: below a prefix, beside a real dnsmasq, behind real nftables."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from provisioner.model.written import Ports
from provisioner.operations.setup.firewall import Nft, firewall_step
from provisioner.operations.setup.holders import clashes, read_holders
from provisioner.operations.setup.place import Place
from provisioner.operations.setup.steps import Append, Write
from tests.support.netns import Namespace, namespace, veth

pytestmark = [pytest.mark.integration, pytest.mark.root]

ADDRESS = "10.77.0.1"
PASSING = (32768, 60999)
_CLOSED = """
table inet filter {
    chain input { type filter hook input priority filter; policy drop; ct state established accept; }
}
"""


@pytest.fixture(scope="module")
def head() -> Iterator[tuple[Namespace, str, Namespace]]:
    """A network namespace with the head's address, the name of its device, and a namespace on the same wire."""
    with namespace() as ours, namespace() as theirs, veth(ours, theirs) as (here, there):
        ours.address(here, f"{ADDRESS}/16")
        theirs.address(there, "10.77.0.9/16")
        yield ours, here, theirs


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The root of a system that does not run and has no user but root."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    (tmp_path / "etc/group").write_text("root:x:0:\n")
    return tmp_path


def setup(head: tuple[Namespace, str, Namespace], tree: Path, *words: str) -> tuple[int, str]:
    """The exit status of a set-up below a prefix, and what it printed."""
    ours, device, _ = head
    prov = ["ip", "netns", "exec", ours.name, sys.executable, "-m", "provisioner", "setup"]
    command = [*prov, "--prefix", str(tree), "--interface", device, *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=100)
    return done.returncode, done.stdout + done.stderr


def listing(tree: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Every file and folder with its rights and content."""
    return {
        str(path): (seen.st_mode, seen.st_uid, seen.st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted(tree.rglob("*"))
        for seen in [path.lstat()]
    }


@pytest.mark.needs("systemd-sysusers", "systemd-tmpfiles", "systemctl", "ip")
def test_a_bare_tree_becomes_a_head_node_once(head: tuple[Namespace, str, Namespace], tree: Path) -> None:
    empty = listing(tree)
    assert setup(head, tree, "--plan")[0] == 2
    assert listing(tree) == empty

    status, told = setup(head, tree, "--yes", "--cluster", "demo")

    assert (status, told.splitlines()[-1]) == (0, "the head node is set up")
    assert re.search(r"^provisioner:x:\d+:", (tree / "etc/passwd").read_text(), re.MULTILINE)
    written = (tree / "etc/provisioner/provisioner.yaml").read_text()
    assert "cluster: demo" in written
    assert "cidr: 10.77.0.0/16" in written
    key = tree / "var/lib/provisioner/keys/site.key"
    assert (key.stat().st_mode & 0o777, key.stat().st_uid) == (0o600, key.parent.stat().st_uid)
    assert (tree / "etc/systemd/system/multi-user.target.wants/provisioner.service").is_symlink()

    made = listing(tree)
    assert setup(head, tree, "--yes")[1].splitlines()[-1] == "nothing to do"
    assert setup(head, tree, "--plan")[0] == 0
    assert listing(tree) == made


@pytest.mark.needs("systemd-sysusers", "systemd-tmpfiles", "systemctl", "ip")
def test_what_was_spoilt_is_set_right_and_the_rest_stays(
    head: tuple[Namespace, str, Namespace], tree: Path
) -> None:
    setup(head, tree, "--yes")
    site, keys = tree / "etc/provisioner/provisioner.yaml", tree / "var/lib/provisioner/keys"
    site.write_text(f"{site.read_text()}# mine\n")
    key = (keys / "site.key").read_bytes()
    keys.chmod(0o755)

    told = setup(head, tree, "--yes")[1]

    assert [line.partition(":")[0] for line in told.splitlines() if "make" in line] == ["folders"]
    assert keys.stat().st_mode & 0o777 == 0o700
    assert site.read_text().endswith("# mine\n")
    assert (keys / "site.key").read_bytes() == key


@pytest.mark.needs("ip")
def test_nobody_who_can_be_asked_is_a_no(head: tuple[Namespace, str, Namespace], tree: Path) -> None:
    before = listing(tree)

    status, told = setup(head, tree)

    assert (status, "--yes" in told) == (1, True)
    assert listing(tree) == before


@pytest.mark.needs("ip")
def test_a_site_below_a_root_is_no_head_node(tree: Path) -> None:
    command = [sys.executable, "-m", "provisioner", "--root", str(tree), "setup", "--plan"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=100)

    assert done.returncode == 2
    assert "prov init" in done.stderr


@pytest.mark.needs("dnsmasq", "ss", "ip")
def test_a_real_dnsmasq_on_our_ports_is_named(head: tuple[Namespace, str, Namespace], tmp_path: Path) -> None:
    ours, device, _ = head
    place = Place(device, IPv4Address(ADDRESS), IPv4Network("10.77.0.0/16"))
    words = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", f"--pid-file={tmp_path}/pid"]
    words += ["--dhcp-range=10.77.0.50,10.77.0.60", f"--dhcp-leasefile={tmp_path}/leases", "--user=root"]
    with subprocess.Popen(["ip", "netns", "exec", ours.name, *words], stderr=subprocess.DEVNULL) as process:
        try:
            found = clashes(read_holders(wait_for_sockets(ours)), place, Ports())
        finally:
            process.terminate()

    held = {(each.service, each.holder.protocol, each.holder.program) for each in found}
    assert held == {("DHCP", "udp", "dnsmasq"), ("DNS", "udp", "dnsmasq"), ("DNS", "tcp", "dnsmasq")}
    assert not clashes(read_holders(ours.run(["ss", "-H", "-lnptu"])), place, Ports())


def wait_for_sockets(ours: Namespace) -> str:
    """What `ss` lists once somebody listens for DHCP and DNS; dnsmasq opens one socket after the other."""
    wanted = {("udp", "67"), ("udp", "53"), ("tcp", "53")}
    deadline = time.monotonic() + 30
    while not wanted <= listening(listed := ours.run(["ss", "-H", "-lnptu"])):
        assert time.monotonic() < deadline, listed
    return listed


def listening(listed: str) -> set[tuple[str, str]]:
    """Protocols and ports of a list of `ss`."""
    rows = (line.split() for line in listed.splitlines())
    return {(row[0], row[4].rpartition(":")[2]) for row in rows}


@pytest.mark.needs("nft", "ip")
def test_a_closed_packet_filter_lets_nodes_through_afterwards_and_after_a_reload(
    head: tuple[Namespace, str, Namespace], tmp_path: Path
) -> None:
    ours, device, theirs = head
    place = Place(device, IPv4Address(ADDRESS), IPv4Network("10.77.0.0/16"))
    config, rules = tmp_path / "nftables.conf", tmp_path / "provisioner.nft"
    config.write_text(f"flush ruleset\n{_CLOSED}")
    ours.run(["nft", "--file", config])
    try:
        assert not arrives(ours, theirs, 69)

        step = firewall_step(Nft(ruleset(ours), PASSING, config), place, Ports())
        write, append, _ = step.actions
        assert isinstance(write, Write)
        assert isinstance(append, Append)
        rules.write_bytes(write.content)
        config.write_text(f"{config.read_text()}{append.line.replace(str(write.path), str(rules))}\n")
        ours.run(["nft", "--file", rules])

        assert arrives(ours, theirs, 69)
        assert not arrives(ours, theirs, 161)
        assert not firewall_step(Nft(ruleset(ours), PASSING, config, included=True), place, Ports()).change
        before = json.loads(ruleset(ours))
        ours.run(["nft", "--file", config])
        assert len(json.loads(ruleset(ours))["nftables"]) == len(before["nftables"])
        assert arrives(ours, theirs, 40000)
    finally:
        ours.run(["nft", "flush", "ruleset"])


def ruleset(ours: Namespace) -> str:
    return ours.run(["nft", "--json", "list", "ruleset"])


def arrives(ours: Namespace, theirs: Namespace, port: int) -> bool:
    """Whether a datagram from the wire reaches a port within a second."""
    with ours.entered():
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        receiver.bind((ADDRESS, port))
    with theirs.entered():
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with receiver, sender:
        receiver.settimeout(1)
        for _ in range(3):
            sender.sendto(b"x", (ADDRESS, port))
        try:
            return receiver.recv(10) == b"x"
        except TimeoutError:
            return False
