"""NetworkManager reads the keyfiles of a node, and takes over what stage 1 has set without taking it away.

It runs unpacked and unchanged, on a bus of its own, in a namespace with the node's devices.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.host.run import run
from provisioner.lab.namespace import Namespace
from provisioner.model.resolved import ResolvedInterface
from provisioner.overlay.folder import write_tree
from tests.support import netmatrix, unpacked
from tests.support.daemon import eventually
from tests.support.netmatrix import BONDS, INFINIBAND, MODES, NICS, VLANS, cabled, set_up_by_stage_1

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("dbus-daemon", "shellcheck")]

BUS = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
  </policy>
</busconfig>
"""


class Manager:
    """NetworkManager in a namespace, with the files of a node below `tree`."""

    def __init__(self, machine: Namespace, folder: Path, *devices: ResolvedInterface) -> None:
        self.machine = machine
        self.folder = folder
        self.tree = folder / "tree"
        self.log = folder / "log"
        write_tree(netmatrix.render(folder / "site", "networkmanager", node=netmatrix.node(*devices)), self.tree)
        libraries = unpacked.environment()["LD_LIBRARY_PATH"]
        self._environment = ["env", "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/bus", f"LD_LIBRARY_PATH={libraries}"]

    def start(self) -> None:
        """Start it as its unit would, and wait until it answers."""
        (self.folder / "bus.conf").write_text(BUS)
        connections = self.tree / "etc/NetworkManager/system-connections"
        config = self.folder / "nm.conf"
        config.write_text(
            "[main]\nplugins=keyfile\nrc-manager=unmanaged\nauth-polkit=false\n"
            f"[keyfile]\npath={connections}\n[logging]\nlevel=INFO\n"
        )
        bus = [f"--config-file={self.folder / 'bus.conf'}", "--nofork", "--nopidfile"]
        self.machine.spawn(["dbus-daemon", *bus], cwd=self.folder)
        eventually(lambda: self.machine.run(["sh", "-c", "[ ! -S /run/bus ] || echo yes"]))
        words = [
            *("--debug", f"--config={config}", f"--config-dir={self.tree / 'etc/NetworkManager/conf.d'}"),
            *("--system-config-dir=/nonexistent", "--pid-file=/run/nm.pid", "--state-file=/run/nm.state"),
            "--intern-config=/run/nm.intern",
        ]
        program = unpacked.program("usr/sbin/NetworkManager")
        with self.log.open("wb") as output:
            self.machine.spawn([*self._environment, str(program), *words], output=output, cwd=self.folder)
        eventually(lambda: "running" in self.ask("-g", "RUNNING", "general", "status"))
        eventually(lambda: "startup complete" in self.log.read_text())

    def ask(self, *words: str) -> str:
        """What nmcli says."""
        command = [*self._environment, str(unpacked.program("usr/bin/nmcli")), *words]
        return self.machine.run(["sh", "-c", '"$@" || true', "sh", *command])

    def told_before(self) -> str:
        """The command that the unit of the overlay runs before NetworkManager."""
        drop_in = self.tree / "etc/systemd/system/NetworkManager.service.d/10-provisioner.conf"
        (line,) = (line for line in drop_in.read_text().splitlines() if line.startswith("ExecStartPre=-"))
        return str(self.tree) + line.removeprefix("ExecStartPre=-")


@pytest.fixture
def machine() -> Iterator[Namespace]:
    with Namespace() as namespace:
        cabled(namespace)
        # Without a writable /sys it waits for no udev, as in a container.
        namespace.run(["mount", "-o", "remount,ro", "/sys"])
        namespace.run(["mount", "-t", "tmpfs", "tmpfs", "/var/lib"])
        yield namespace


def test_networkmanager_reads_every_connection_of_the_whole_matrix(machine: Namespace, tmp_path: Path) -> None:
    manager = Manager(machine, tmp_path, *NICS, *BONDS, *VLANS, *INFINIBAND)
    manager.start()

    def field(name: str, connection: str) -> str:
        return manager.ask("-g", name, "connection", "show", connection).strip()

    devices = [each.name for each in (*NICS, *BONDS, *VLANS, *INFINIBAND)]
    listed = manager.ask("-t", "-f", "NAME", "connection", "show").split()
    assert sorted(name for name in listed if name != "lo") == sorted(devices)
    assert field("bond.options", "bond0") == (
        "mode=802.3ad,downdelay=600,lacp_rate=fast,miimon=200,updelay=400,xmit_hash_policy=layer3+4"
    )
    assert field("bond.options", "bond1") == "mode=active-backup,miimon=100"
    assert field("connection.master", "eth2") == field("connection.uuid", "bond0")
    assert (field("vlan.id", "bond1.200"), field("vlan.parent", "bond1.200")) == ("200", "bond1")
    assert field("ipv4.routes", "bond0") == "10.20.0.0/16 10.9.0.254 50, 10.21.0.0/16 10.99.0.1 onlink=true"
    assert field("ipv6.routes", "bond0").replace("\\", "") == "fd20::/48 fd09::fe 60"
    assert field("ipv6.routes", "storage6").replace("\\", "") == "::/0 fe80::1"
    # As the kernel has it for routes without a metric, and not by the kind of the device.
    assert (field("ipv4.route-metric", "bond0"), field("ipv6.route-metric", "bond0")) == ("0", "1024")
    assert field("connection.autoconnect", "eth5") == "no"
    assert field("ipv4.dns-search", "bond0") == "storage.example.org,example.org"
    assert field("802-3-ethernet.mtu", "bond0") == "9000"
    assert field("infiniband.transport-mode", "ib0") == "connected"
    assert (field("infiniband.p-key", "ib0.8001"), field("infiniband.parent", "ib0.8001")) == ("0x8001", "ib0")
    # Nobody wrote down what is at the other end of the cables.
    assert "peer" not in manager.ask("-t", "-f", "NAME,DEVICE", "connection", "show", "--active")


def test_networkmanager_accepts_every_mode_of_a_bond(tmp_path: Path) -> None:
    nmcli = unpacked.program("usr/bin/nmcli")
    entries = netmatrix.render(tmp_path, "networkmanager", node=netmatrix.node(NICS[0], *MODES))
    keyfiles = {path: text for path, text in netmatrix.texts(entries).items() if path.endswith(".nmconnection")}

    assert len(keyfiles) == 1 + len(MODES)
    for path, text in keyfiles.items():
        words = [str(nmcli), "--offline", "connection", "modify", "connection.zone", "trusted"]
        read = run(words, stdin=text.encode(), environment=unpacked.environment())
        for line in text.split("[bond]")[-1].split("\n\n")[0].splitlines() if "[bond]" in text else []:
            assert line in read.splitlines(), path


def test_the_address_that_stage_1_has_set_stays_while_networkmanager_takes_over(
    machine: Namespace, tmp_path: Path
) -> None:
    taken_away = set_up_by_stage_1(machine, tmp_path)
    manager = Manager(machine, tmp_path, NICS[0])

    machine.run(manager.told_before().split())
    manager.start()
    eventually(lambda: "fd00::1/64" in machine.run(["ip", "-o", "address", "show", "dev", "eth0"]))
    eventually(lambda: "eth0:connected" in manager.ask("-t", "-f", "DEVICE,STATE", "device"))

    assert taken_away() == []
    assert manager.ask("-g", "IP4.DNS", "device", "show", "eth0") == "10.0.0.53\n"
    # A device is connected once one of its two families is.
    eventually(lambda: "default via fd00::fe dev eth0" in machine.run(["ip", "-6", "route"]))


def test_a_state_that_networkmanager_has_written_itself_is_left_alone(machine: Namespace, tmp_path: Path) -> None:
    command = Manager(machine, tmp_path, NICS[0]).told_before().split()
    machine.run(command)
    index = machine.run(["cat", "/sys/class/net/eth0/ifindex"]).strip()
    machine.run(["sh", "-c", f"echo newer > /run/NetworkManager/devices/{index}"])

    machine.run(command)

    assert machine.run(["cat", f"/run/NetworkManager/devices/{index}"]) == "newer\n"


def test_the_program_of_the_unit_is_a_clean_posix_shell_script(machine: Namespace, tmp_path: Path) -> None:
    script = Manager(machine, tmp_path, NICS[0]).tree / "usr/libexec/provisioner/network-assume"

    assert run(["shellcheck", "--shell", "sh", script]) == ""
