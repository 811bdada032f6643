"""What a program in a chamber finds mounted: proc, sys, dev, run and tmp of its own, and what was bound for it."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

from provisioner.image import mountpoints
from provisioner.image.namespaces import Flag, bind, mount

RESOLVER = Path("/etc/resolv.conf")

_PLAIN = Flag.NO_SETUID | Flag.NO_DEVICES
_INERT = _PLAIN | Flag.NO_PROGRAMS
# What the kernel lets any root write to, whatever rights it gave up: through scsi, disks can be taken away.
_SETTINGS = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi", "driver", "dynamic_debug")
# Numbers of Documentation/admin-guide/devices.txt.
_NODES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}
_TTY_GROUP = 5
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1


@dataclass(frozen=True, slots=True)
class Bind:
    """Something of this machine to show in the tree: `target` is its place below the tree, links followed."""

    source: str
    target: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class Places:
    """Where the parts of a chamber go, on this machine: below the tree, the links of the image followed."""

    tree: str
    proc: str
    sys: str
    dev: str
    run: str
    tmp: str


@dataclass(frozen=True, slots=True)
class View:
    """A tree to be seen with layers on it, `lowers` from the top down; `mount` is an empty folder for it."""

    lowers: tuple[str, ...]
    mount: str

    @property
    def tree(self) -> str:
        """Where the tree is seen."""
        return f"{self.mount}/tree"


def lay(view: View) -> None:
    """Mount a view; what is written to it lies in memory and is lost."""
    here = Path(view.mount)
    _memory(here, "mode=700")
    for name in ("tree", "upper", "work"):
        (here / name).mkdir(mode=0o755)
    # Short names of our own: in those of the layers a comma or a colon would mean something.
    for number, lower in enumerate(view.lowers):
        (here / str(number)).symlink_to(lower)
    os.chdir(here)
    lowers = ":".join(map(str, range(len(view.lowers))))
    mount("overlay", here / "tree", "overlay", options=f"lowerdir={lowers},upperdir=upper,workdir=work")
    os.chdir("/")


def furnish(places: Places, binds: tuple[Bind, ...], *, read_only: bool, terminal: bool) -> None:
    """Mount everything, in a mount namespace of one's own and below the tree, which becomes a mount itself.

    Devices in the tree itself cannot be opened, and the settings of the kernel cannot be changed.
    """
    tree = Path(places.tree)
    bind(tree, tree, Flag.NO_DEVICES)
    for name in (places.proc, places.sys, places.dev, places.run, places.tmp):
        mountpoints.make(Path(name), folder=True)
    _proc(Path(places.proc))
    mount("sysfs", Path(places.sys), "sysfs", flags=_INERT | Flag.READ_ONLY)
    _dev(Path(places.dev), terminal=terminal)
    _memory(Path(places.run), "mode=755")
    _memory(Path(places.tmp), "mode=1777")
    Path(places.run, "lock").mkdir(mode=0o755)
    Path(places.run, "lock").chmod(0o1777)
    for each in binds:
        source, target = Path(each.source), Path(each.target)
        mountpoints.make(target, folder=source.is_dir())
        bind(source, target, _PLAIN | (Flag.READ_ONLY if each.read_only else Flag.NONE))
    if read_only:
        # Last, because places to mount on may have been missing.
        mount(None, tree, flags=Flag.BIND | Flag.REMOUNT | Flag.READ_ONLY | Flag.NO_DEVICES)


def raise_loopback() -> None:
    """Bring 127.0.0.1 up in a network namespace of one's own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(door, _GET_FLAGS, request))[1]
        fcntl.ioctl(door, _SET_FLAGS, struct.pack("16sh14x", b"lo", flags | _UP))


def _proc(folder: Path) -> None:
    mount("proc", folder, "proc", flags=_INERT)
    for name in _SETTINGS:
        if (folder / name).exists():
            bind(folder / name, folder / name, _INERT | Flag.READ_ONLY)


def _memory(folder: Path, options: str) -> None:
    mount("tmpfs", folder, "tmpfs", flags=_PLAIN, options=options)


def _dev(folder: Path, *, terminal: bool) -> None:
    mount("tmpfs", folder, "tmpfs", flags=Flag.NO_SETUID, options="mode=755,size=1m")
    for name, (major, minor) in _NODES.items():
        os.mknod(folder / name, stat.S_IFCHR | 0o666, os.makedev(major, minor))
        (folder / name).chmod(0o666)
    for name, target in _LINKS.items():
        (folder / name).symlink_to(target)
    for name in ("pts", "shm"):
        (folder / name).mkdir()
    options = f"newinstance,ptmxmode=0666,mode=0620,gid={_TTY_GROUP}"
    mount("devpts", folder / "pts", "devpts", flags=Flag.NO_SETUID | Flag.NO_PROGRAMS, options=options)
    _memory(folder / "shm", "mode=1777")
    if terminal:
        (folder / "console").touch()
        mount(Path("/proc/self/fd/0").readlink(), folder / "console", flags=Flag.BIND)
    # A node made here could be opened: the disks of this machine, for one.
    mount(None, folder, flags=Flag.BIND | Flag.REMOUNT | Flag.READ_ONLY | Flag.NO_SETUID)
