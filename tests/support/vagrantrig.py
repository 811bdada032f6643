"""Vagrant and libvirt in a namespace of their own: nothing of either is left on the machine."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from provisioner.errors import CommandError
from provisioner.lab.namespace import Namespace
from tests.support.headbox.box import CHECKOUT, Box
from tests.support.realsite import wait_until

BOX = "lab/debian12"
_REAPER = Path(__file__).with_name("reaper.py")
_LIBVIRT = Path("/etc/libvirt")
# As on a machine without AppArmor or SELinux; and files of tests belong to root.
_QEMU = 'security_driver = "none"\nuser = "root"\ngroup = "root"\n'


class VagrantRig:
    """A context manager: libvirtd runs inside, and `vagrant` works on the checkout's Vagrantfile, offline."""

    def __init__(self, payload: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="vagrant-", dir="/var/tmp"))
        self.logs = self.folder / "logs"
        self._payload = payload
        self._namespace = Namespace()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, self.folder)
            stack.enter_context(self._namespace)
            self._start_libvirt()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(self._last_words())
        self._stack.__exit__(kind, error, trace)

    def add_box(self, box: Box) -> None:
        """Make the box known by its name."""
        self.vagrant("box", "add", "--name", BOX, "--provider", "libvirt", str(box.vagrant))

    def vagrant(self, *words: str, timeout: float = 900) -> str:
        """What a vagrant command prints."""
        settings = [f"{name}={value}" for name, value in self._environment().items()]
        return self._namespace.run(["env", "-C", CHECKOUT, *settings, "vagrant", *words], timeout=timeout)

    def virsh(self, *words: str) -> str:
        """What a virsh command prints."""
        return self._namespace.run(["virsh", "-c", "qemu:///system", *words])

    def shell(self, command: str, *, timeout: float = 300) -> str:
        """What a command of root's prints on the head node."""
        config = self.folder / "ssh"
        if not config.exists():
            config.write_text(self.vagrant("ssh-config", "head"))
        return self._namespace.run(
            ["ssh", "-F", config, "head", "sudo", "sh", "-c", _quoted(command)], timeout=timeout
        )

    def _environment(self) -> Mapping[str, str | Path]:
        return {
            "VAGRANT_HOME": self.folder / "home",
            "VAGRANT_DOTFILE_PATH": self.folder / "dot",
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            "VAGRANT_BOX_UPDATE_CHECK_DISABLE": "1",
            "VAGRANT_NO_COLOR": "1",
            "VAGRANT_BOX": BOX,
            "LAB_DRIVER": "qemu",
            "LAB_LOGS": self.logs,
            "LAB_POOL": self.folder / "pool",
            "LAB_MANAGEMENT": "none",
            "LAB_PAYLOAD": self._payload,
        }

    def _start_libvirt(self) -> None:
        self.folder.chmod(0o755)
        for name in ("home", "pool", "logs", "state"):
            (self.folder / name).mkdir()
        settings = self.folder / "libvirt"
        shutil.copytree(_LIBVIRT, settings)
        (settings / "qemu.conf").write_text(_QEMU)
        self._namespace.run(["mount", "--bind", settings, _LIBVIRT])
        # Control groups of the machine are hidden below the namespace's /sys; gone, libvirt does without them.
        self._namespace.run(["sh", "-c", "umount -l /sys && umount -l /sys && mount -t sysfs sysfs /sys"])
        for place in ("/run", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt"):
            self._namespace.run(["mount", "-t", "tmpfs", "tmpfs", place])
        for program in ("virtlogd", "libvirtd"):
            with (self.logs / f"{program}.log").open("wb") as output:
                self._namespace.spawn([sys.executable, _REAPER, program], output=output, cwd=self.folder)
        wait_until(self._answers, "libvirtd to answer", 60)

    def _answers(self) -> bool:
        try:
            return bool(self.virsh("version"))
        except CommandError:
            return False

    def _last_words(self) -> str:
        tails = [
            f"{log.name}:\n{log.read_text(errors='replace')[-3000:]}" for log in sorted(self.logs.glob("*.log"))
        ]
        return "\n".join(tails)


def _quoted(command: str) -> str:
    return "'" + command.replace("'", "'\\''") + "'"
