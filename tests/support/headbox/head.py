"""The head node of a lab as a virtual machine, with the product installed as a person would install it."""

from __future__ import annotations

import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import CommandError
from provisioner.host.run import run
from provisioner.lab.cluster import Lab
from provisioner.lab.machine import DirectBoot
from provisioner.lab.vm import RunningMachine
from provisioner.model.address import MacAddress
from tests.support.headbox.box import CHECKOUT, Box
from tests.support.realsite import wait_until

ADDRESS = "10.77.0.2"
_MAC = MacAddress("52:54:00:77:ff:02")
_KERNEL_LINE = "root=/dev/vda1 rw lab.static net.ifnames=0 console=ttyS0,115200n8 mitigations=off quiet"
# The second disk is nothing but the archive of what was sent along: no file system has to be made for it.
_UNPACK = "mkdir -p /payload && tar -xf /dev/vdb -C /payload"


@dataclass(frozen=True)
class Head:
    """A head node that runs."""

    lab: Lab
    machine: RunningMachine
    key: Path

    def shell(self, command: str, *, timeout: float = 600) -> str:
        """What a command of root's prints; it must succeed."""
        options = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=60", "-o", "LogLevel=ERROR"]
        options += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        return self.lab.run(["ssh", *options, "-i", str(self.key), f"root@{ADDRESS}", command], timeout=timeout)


def start(lab: Lab, box: Box, payload: Mapping[str, Path]) -> Head:
    """Switch a head node on with an empty site; `payload` is what it finds below /payload."""
    folder = lab.folder / "head-disks"
    folder.mkdir(parents=True)
    disk, second = folder / "head.raw", folder / "payload.raw"
    run(["cp", "--sparse=always", "--reflink=auto", box.disk, disk])
    with tarfile.open(second, "w") as archive:
        for name, path in payload.items():
            archive.add(path, name)
    # A disk has whole sectors.
    with second.open("ab") as stream:
        stream.truncate((second.stat().st_size + 511) // 512 * 512)
    direct = DirectBoot(box.kernel, box.initrd, _KERNEL_LINE)
    machine = lab.boot("head", _MAC, memory=1024, direct=direct, drives=(disk, second))
    machine.wait_for("login:", 300)
    head = Head(lab, machine, box.key)
    # Nothing says that sshd and the address are there before the login is.
    wait_until(lambda: _answers(head), "the head node to answer by ssh", 300)
    head.shell(_UNPACK)
    return head


def _answers(head: Head) -> bool:
    try:
        head.shell("true")
    except CommandError:
        return False
    return True


def wheel(folder: Path) -> Path:
    """The product of this checkout as a wheel."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, CHECKOUT], timeout=300)
    return next(folder.glob("provisioner-*.whl"))
