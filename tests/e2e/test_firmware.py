"""Real firmware and real iPXE, as far as the script: over IPv6, and by DHCP servers with our exports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.events.history import History
from provisioner.host.run import run
from provisioner.lab.daemon import prov
from provisioner.lab.machine import OVMF_VARIABLES, VARIABLES_FILE, MachineFirmware, VirtualMachine
from provisioner.model.address import MacAddress
from provisioner.model.event import Event
from tests.support.dhcpd import PROGRAMS
from tests.support.netns import Namespace, namespace
from tests.support.packets import MAC
from tests.support.peers import listens
from tests.support.realsite import wait_until
from tests.support.rig import daemon, running

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

BRIDGE, TAP = "br0", "tap0"
_SECONDS = 400.0
_NODES = """\
nodes:
  n001: {interfaces: {eth0: {mac: "52:54:00:77:00:10", ip: 10.77.0.11, ip6: "fd77::11"}}}
"""


@pytest.fixture
def home() -> Iterator[Namespace]:
    """The head node's namespace, and a bridge with the tap device of a machine."""
    with namespace() as made:
        made.run(["sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad"])
        made.ip("link", "add", BRIDGE, "type", "bridge", "forward_delay", "0", "stp_state", "0")
        made.address(BRIDGE, "10.77.0.1/24")
        made.address(BRIDGE, "fd77::1/64")
        # Kea opens no socket on a bridge that nothing is plugged into, and the tap counts once QEMU has opened it.
        made.ip("link", "add", "plug", "type", "veth", "peer", "name", "socket")
        made.ip("link", "set", "socket", "up")
        made.ip("link", "set", "plug", "master", BRIDGE, "up")
        made.ip("tuntap", "add", "dev", TAP, "mode", "tap")
        made.ip("link", "set", TAP, "master", BRIDGE, "up")
        yield made


def site(folder: Path, dhcp: str) -> Paths:
    """A site with one node, which has no image: its script says so, and that is as far as it goes."""
    paths = Paths.below(folder / "site")
    network = f'{{cidr: 10.77.0.0/24, cidr6: "fd77::/64", server6: "fd77::1", {dhcp}}}'
    files = {
        paths.site_file: f"cluster: demo\nnetworks:\n  provision: {network}\n",
        paths.node_files / "n.yaml": _NODES,
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return paths


@contextmanager
def machine(home: Namespace, folder: Path, *without: str) -> Iterator[None]:
    """A UEFI machine under power whose firmware lacks these ways to boot."""
    (folder / VARIABLES_FILE).write_bytes(OVMF_VARIABLES.read_bytes())
    made = VirtualMachine("n001", MacAddress(MAC), tap=TAP, firmware=MachineFirmware.UEFI, memory=512)
    switches = [word for way in without for word in ("-fw_cfg", f"name=opt/org.tianocore/{way},string=n")]
    command: list[str | Path] = ["env", "-C", folder, *made.command(), *switches]
    with running(home, command, log=folder / "qemu.log", ready=lambda: True):
        yield


def script_of(paths: Paths) -> Event:
    """The event of the script, once the machine has asked for it."""

    def asked() -> Event | None:
        found = History(paths.events).recent(limit=200)
        return next((event for event in found if event.name == "script.refused"), None)

    return wait_until(asked, "the script of n001", _SECONDS)


def names(paths: Paths) -> set[str]:
    return {event.name for event in History(paths.events).recent(limit=200)}


@pytest.mark.parametrize(
    ("without", "how"),
    [
        (["IPv4PXESupport"], "snponly.efi by TFTP"),
        pytest.param(
            ["IPv4PXESupport", "IPv6PXESupport"],
            "snponly.efi by HTTP",
            # The firmware waits for HTTP over IPv4 first, longer than a minute.
            marks=pytest.mark.long,
        ),
    ],
    ids=["PXE", "HTTP"],
)
def test_uefi_firmware_gets_to_its_script_over_ipv6_alone(
    home: Namespace, tmp_path: Path, without: Sequence[str], how: str
) -> None:
    paths = site(tmp_path, 'dhcp: "off", dhcp6: authoritative')
    with daemon(home, paths), machine(home, tmp_path, *without):
        script = script_of(paths)

    assert (script.node, script.address) == ("n001", "fd77::11")
    answers = [event for event in History(paths.events).recent(limit=200) if event.name == "dhcp6.reply"]
    assert any(how in event.message for event in answers)
    assert {"dhcp6.advertise", "loader.sent"} <= names(paths)


@pytest.mark.parametrize("kind", PROGRAMS)
def test_a_dhcp_server_with_our_export_gets_a_machine_to_its_script(
    home: Namespace, tmp_path: Path, kind: str
) -> None:
    paths = site(tmp_path, 'dhcp: "off"')
    exported = tmp_path / f"{kind}.conf"
    run(prov(paths, "export", kind, "--output", str(exported)), timeout=60)
    server = PROGRAMS[kind](tmp_path, exported, BRIDGE)

    with (
        daemon(home, paths),
        running(home, server.serve, log=tmp_path / "dhcpd.log", ready=listens(home, "udp", 67)),
        machine(home, tmp_path),
    ):
        script = script_of(paths)

    assert (script.mac, script.node, script.address) == (MAC, "n001", "10.77.0.11")
    assert not any(name.startswith("dhcp") for name in names(paths))
