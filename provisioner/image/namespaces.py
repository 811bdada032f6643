"""The few system calls of Linux behind a chamber that Python 3.11 has no name for. All of them need root."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterable
from enum import IntFlag
from pathlib import Path

# include/uapi/linux/sched.h
_NEW_MOUNTS, _NEW_NAMES, _NEW_IPC, _NEW_PIDS, _NEW_NETWORK = 0x20000, 0x4000000, 0x8000000, 0x20000000, 0x40000000
# include/uapi/linux/prctl.h
_DEATH_SIGNAL, _DUMPABLE, _DROP_BOUND = 1, 4, 24
# include/uapi/linux/capability.h: two words of 32 bits each
_CAPABILITY_VERSION = 0x20080522
_DETACH = 2
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

_libc = ctypes.CDLL(None, use_errno=True)


class Flag(IntFlag):
    """How something is mounted (mount(2))."""

    NONE = 0
    READ_ONLY = 1
    NO_SETUID = 2
    NO_DEVICES = 4
    NO_PROGRAMS = 8
    REMOUNT = 32
    BIND = 4096
    RECURSIVE = 16384
    PRIVATE = 1 << 18


def leave(*, network: bool) -> None:
    """Move into new namespaces: mounts, host name, message queues, processes of children, the network if asked.

    Nothing that is mounted from here on is seen outside.
    """
    wanted = _NEW_MOUNTS | _NEW_NAMES | _NEW_IPC | _NEW_PIDS | (_NEW_NETWORK if network else 0)
    _call("unshare", wanted)
    mount(None, Path("/"), flags=Flag.RECURSIVE | Flag.PRIVATE)


def mount(
    source: Path | str | None, target: Path, kind: str | None = None, *, flags: Flag = Flag.NONE, options: str = ""
) -> None:
    """Mount a file system of some kind, or change how one is mounted."""
    words = [None if each is None else os.fsencode(each) for each in (source, target, kind)]
    try:
        _call("mount", *words, ctypes.c_ulong(flags), options.encode() or None)
    except OSError as error:
        raise OSError(
            error.errno, f"cannot mount {kind or source or 'anew'}: {error.strerror}", str(target)
        ) from None


def bind(source: Path, target: Path, flags: Flag) -> None:
    """Show a folder or file at another place too, with restrictions of its own there."""
    mount(source, target, flags=Flag.BIND)
    mount(None, target, flags=Flag.BIND | Flag.REMOUNT | flags)


def enter(root: Path) -> None:
    """Make a mounted folder the root of this namespace, and leave no way back to the former one."""
    os.chdir(root)
    number = _PIVOT_ROOT[os.uname().machine]
    _call("syscall", ctypes.c_long(number), b".", b".")
    _call("umount2", b".", _DETACH)
    os.chdir("/")


def die_with_parent(parent: int | None = None) -> None:
    """Be killed when the parent dies; now, if it is not `parent` (a process id) any more."""
    _call("prctl", _DEATH_SIGNAL, ctypes.c_ulong(signal.SIGKILL))
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def hide() -> None:
    """Keep processes of the same user from looking into this one through /proc."""
    _call("prctl", _DUMPABLE, ctypes.c_ulong(0))


def keep_capabilities(kept: Iterable[int]) -> None:
    """Give up all rights of root but these (numbers of capabilities(7)), here and for all that is started."""
    kept = frozenset(kept)
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for number in range(last + 1):
        if number not in kept:
            _call("prctl", _DROP_BOUND, ctypes.c_ulong(number))
    mask = sum(1 << number for number in kept)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    # The version and this process; then the effective, permitted and inheritable ones, low words first.
    header, sets = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)
    _call("capset", ctypes.byref(header), ctypes.byref(sets))


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
