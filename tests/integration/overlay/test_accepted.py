"""Every rendered file is read by the program that reads it on a node.

GNU cpio unpacks the archive as stage 1 does; systemd's own tools, networkd and udev read their files from that
tree, inside a namespace whose devices are the node's. Debian 12 has no checker for .network and .link files, so
the programs themselves run and what they made of the devices is compared.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.archive.tree import Entry, Kind
from provisioner.host.run import run
from provisioner.lab.namespace import Namespace
from provisioner.overlay.rendered import pack
from tests.support.daemon import eventually
from tests.support.overlays import SHIPPED, STORAGE_MAC, render
from tests.support.resolved import MAC1

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("cpio", "shellcheck", "ssh-keygen", "systemd-analyze", "udevadm"),
]

NETWORKD = Path("/lib/systemd/systemd-networkd")


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[Entry]:
    return render(tmp_path_factory.mktemp("site"), *SHIPPED)


@pytest.fixture(scope="module")
def tree(entries: list[Entry], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of all overlays, unpacked by GNU cpio."""
    folder = tmp_path_factory.mktemp("tree")
    words = ["cpio", "--extract", "--make-directories", "--no-absolute-filenames", "--quiet"]
    run(words, stdin=pack(entries).archive, cwd=folder)
    return folder


@pytest.fixture
def node(tree: Path) -> Iterator[Namespace]:
    """A namespace with the devices of the node, where systemd finds the node's network files."""
    with Namespace() as namespace:
        for name, mac in (("first", MAC1), ("second", STORAGE_MAC)):
            peer = ("type", "veth", "peer", "name", f"{name}-peer")
            namespace.run(["ip", "link", "add", name, "address", mac, *peer])
            namespace.run(["ip", "link", "set", f"{name}-peer", "up"])
        namespace.run(["mkdir", "-p", "/etc/systemd/network"])
        namespace.run(["mount", "--bind", tree / "etc/systemd/network", "/etc/systemd/network"])
        namespace.run(["mount", "-t", "tmpfs", "tmpfs", "/run"])
        yield namespace


def test_gnu_cpio_lists_the_archive_in_its_order(entries: list[Entry]) -> None:
    listed = run(["cpio", "--list", "--quiet"], stdin=pack(entries).archive).splitlines()

    assert listed == [entry.path for entry in entries]


def test_gnu_cpio_unpacks_contents_kinds_and_modes(entries: list[Entry], tree: Path) -> None:
    for entry in entries:
        path = tree / entry.path
        status = path.lstat()
        assert stat.S_IFMT(status.st_mode) == entry.kind.value
        if entry.kind is Kind.SYMLINK:
            assert str(path.readlink()).encode() == entry.content
        else:
            assert stat.S_IMODE(status.st_mode) == entry.mode
            assert (status.st_uid, status.st_gid) == (entry.uid, entry.gid)
        if entry.kind is Kind.FILE:
            assert path.read_bytes() == entry.content


def test_only_root_can_read_the_private_key_and_the_admin_keys(tree: Path) -> None:
    for name, mode in (("etc/ssh/ssh_host_ed25519_key", 0o600), ("root/.ssh", 0o700)):
        assert stat.S_IMODE((tree / name).stat().st_mode) == mode


def test_openssh_makes_the_public_key_out_of_the_private_one(tree: Path) -> None:
    made = run(["ssh-keygen", "-y", "-f", tree / "etc/ssh/ssh_host_ed25519_key"])

    assert made.split()[:2] == (tree / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()[:2]


def test_systemd_finds_nothing_wrong_with_the_units_of_the_agent(tree: Path) -> None:
    # verify looks for the program of the unit on this machine, where the agent is not installed.
    with Namespace() as namespace:
        namespace.run(["mount", "--bind", tree / "usr/libexec", "/usr/libexec"])
        units = sorted((tree / "etc/systemd/system").glob("provisioner-*"))
        services = {f"provisioner-{name}.service" for name in ("agent", "overlay", "stream", "swap")}
        assert {unit.name for unit in units} == {*services, "provisioner-agent.timer", "provisioner-stream.path"}

        assert namespace.run(["sh", "-c", 'systemd-analyze verify --man=no "$@" 2>&1', "sh", *units]) == ""


def test_every_link_of_an_overlay_leads_to_a_unit_of_the_overlay_or_of_systemd(tree: Path) -> None:
    links = [path for path in (tree / "etc/systemd/system").glob("*.wants/*") if path.is_symlink()]

    assert len(links) == 7
    for link in links:
        target = link.readlink()
        assert (Path(f"/{target}") if target.is_absolute() else link.parent / target).exists()


def test_the_agent_is_a_clean_posix_shell_script(tree: Path) -> None:
    run(["shellcheck", "--shell", "sh", *sorted((tree / "usr/libexec/provisioner").iterdir())])


def test_the_c_library_finds_names_and_addresses_in_the_hosts_file(tree: Path) -> None:
    with Namespace() as namespace:
        namespace.run(["mount", "--bind", tree / "etc/hosts", "/etc/hosts"])

        def look_up(wanted: str) -> list[str]:
            return namespace.run(["getent", "--service=files", "hosts", wanted]).split()

        assert look_up("n001-ib0.cluster.local")[0] == "10.9.0.1"
        assert look_up("n002")[0] == "fd00::2"
        assert look_up("10.0.1.2")[1] == "n002.cluster.local"
        assert look_up("provisioner")[0] == "10.0.0.1"
        assert look_up("localhost")[0] == "::1"


@pytest.mark.parametrize(("device", "name"), [("first", "eth0"), ("second", "ib0")])
def test_udev_names_every_device_by_its_mac(node: Namespace, device: str, name: str) -> None:
    command = f"SYSTEMD_LOG_LEVEL=info udevadm test-builtin net_setup_link /sys/class/net/{device} 2>&1"
    printed = node.run(["sh", "-c", command])

    assert f"ID_NET_LINK_FILE=/etc/systemd/network/10-{name}.link" in printed
    assert f"ID_NET_NAME={name}" in printed
    assert re.search(r"\.link:\d+:", printed) is None, "udev complains about a line"


def test_networkd_gives_every_device_its_addresses_and_the_first_one_the_route(
    node: Namespace, tmp_path: Path
) -> None:
    # Without a writable /sys networkd waits for no udev, as in a container.
    node.run(["mount", "-o", "remount,ro", "/sys"])
    log = tmp_path / "networkd.log"
    with log.open("wb") as output:
        networkd = node.spawn(["env", "SYSTEMD_LOG_TARGET=console", NETWORKD], output=output, cwd=tmp_path)

        eventually(lambda: "default via 10.0.0.254 dev first" in node.run(["ip", "route"]))
        eventually(lambda: "10.9.0.1/24" in node.run(["ip", "-o", "addr", "show", "dev", "second"]))
        eventually(lambda: "fd00::1/64" in node.run(["ip", "-o", "addr", "show", "dev", "first"]))

        assert "10.0.1.1/16" in node.run(["ip", "-o", "addr", "show", "dev", "first"])
        assert node.run(["ip", "route"]).count("default") == 1
        networkd.end()
    assert re.search(r"\.network:\d+:", log.read_text()) is None, "networkd complains about a line"
