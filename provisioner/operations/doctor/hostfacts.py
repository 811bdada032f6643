"""What this machine shows of itself: addresses, ports, disks, limits of the kernel, clock, rights of files.

Everything is read without changing anything. What cannot be read is left out, because a check that does not know
says nothing.
"""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

import psutil
from cryptography import x509

from provisioner.config.paths import Paths
from provisioner.errors import ProvisionerError
from provisioner.host import net
from provisioner.host.run import run
from provisioner.tftp.table import LOADER_FOLDERS, read_loaders

_SYSCTL = Path("/proc/sys")
# TIME_ERROR of adjtimex(2): nothing keeps the clock right; room for struct timex, whatever its version.
_TIME_ERROR = 5
_TIMEX_SIZE = 512
_RULESETS = (("nft", "list", "ruleset"), ("iptables-save",))
_PRIVATE = 0o077


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that waits: `protocol` is udp or tcp, `program` the name of who has it, empty when unknown."""

    protocol: str
    address: str
    port: int
    pid: int | None = None
    program: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    """A network device: whether it is up and has a link, its MTU in bytes, how strictly it filters by route."""

    up: bool
    mtu: int
    rp_filter: int = 0


@dataclass(frozen=True, slots=True)
class Disk:
    """The file system below a path: bytes and inodes, free for this program and in all."""

    path: str
    free: int
    size: int
    free_inodes: int
    inodes: int


@dataclass(frozen=True, slots=True)
class Expiry:
    """A certificate and when it ends, in Unix seconds."""

    path: str
    ends: float


@dataclass(frozen=True)
class HostFacts:
    """This machine. `neighbours` is gc_thresh3, `exposed` secret files that others may read, with their modes.

    `synchronised` tells whether the kernel's clock is kept right; None where it does not say. `ruleset` is the
    text of the packet filter, empty where there is none or it may not be seen. `namespace` is the inode of the
    network namespace that was looked at (namespaces(7)).
    """

    addresses: Mapping[IPv4Address, str] = field(default_factory=dict)
    devices: Mapping[str, Device] = field(default_factory=dict)
    listeners: tuple[Listener, ...] | None = None
    disks: tuple[Disk, ...] = ()
    neighbours: int | None = None
    synchronised: bool | None = None
    ruleset: str = ""
    exposed: tuple[tuple[str, int], ...] = ()
    loaders: frozenset[str] | None = None
    certificates: tuple[Expiry, ...] = ()
    namespace: int | None = None


def host_facts(paths: Paths) -> HostFacts:
    """Look at this machine, as the user who runs the command may."""
    return HostFacts(
        addresses=net.addresses(),
        devices={name: _device(name, each.isup, each.mtu) for name, each in psutil.net_if_stats().items()},
        listeners=_listeners(),
        disks=tuple(_disks(paths)),
        neighbours=_number("net/ipv4/neigh/default/gc_thresh3"),
        synchronised=_synchronised(),
        ruleset="\n".join(_rulesets()),
        exposed=tuple(_exposed(paths)),
        loaders=frozenset(read_loaders((paths.state / "loaders", *LOADER_FOLDERS))),
        certificates=tuple(_certificates(paths)),
        namespace=net.namespace(),
    )


def _device(name: str, up: bool, mtu: int) -> Device:  # noqa: FBT001 - psutil's own field, handed on
    filters = (_number(f"net/ipv4/conf/{each}/rp_filter") or 0 for each in ("all", name.replace(".", "/")))
    return Device(up, mtu, max(filters))


def _listeners() -> tuple[Listener, ...] | None:
    """Sockets that wait for somebody; None where this user may not see them."""
    try:
        found = psutil.net_connections(kind="inet")
    except (psutil.AccessDenied, OSError):
        return None
    return tuple(
        Listener(
            "udp" if each.type == socket.SOCK_DGRAM else "tcp", each.laddr.ip, each.laddr.port, each.pid, name
        )
        for each in found
        if each.laddr and not each.raddr
        for name in [_program(each.pid)]
    )


def _program(pid: int | None) -> str:
    if pid is None:
        return ""
    try:
        return psutil.Process(pid).name()
    except psutil.Error:
        return ""


def _disks(paths: Paths) -> Iterator[Disk]:
    for path in dict.fromkeys((paths.state, paths.images)):
        with suppress(OSError):
            seen = os.statvfs(path)
            yield Disk(
                str(path),
                seen.f_bavail * seen.f_frsize,
                seen.f_blocks * seen.f_frsize,
                seen.f_favail,
                seen.f_files,
            )


def _number(name: str) -> int | None:
    try:
        return int((_SYSCTL / name).read_text())
    except (OSError, ValueError):
        return None


def _synchronised() -> bool | None:
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_SIZE))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR


def _rulesets() -> Iterator[str]:
    for command in _RULESETS:
        with suppress(ProvisionerError):
            yield run(command, timeout=10)


def _exposed(paths: Paths) -> Iterator[tuple[str, int]]:
    """Secret files that others than their owner may read or write."""
    for path in _secret_files(paths):
        with suppress(OSError):
            mode = path.stat().st_mode & 0o777
            if mode & _PRIVATE:
                yield str(path), mode


def _secret_files(paths: Paths) -> Iterable[Path]:
    with suppress(OSError):
        yield from (each for each in paths.keys.glob("*.key") if each.is_file())
        yield from (each for each in (paths.site / "secrets").rglob("*") if each.is_file())


def _certificates(paths: Paths) -> Iterator[Expiry]:
    for pattern in ("*.pem", "*.crt", "*/*.pem", "*/*.crt"):
        for path in paths.keys.glob(pattern):
            with suppress(OSError, ValueError):
                found = x509.load_pem_x509_certificate(path.read_bytes())
                yield Expiry(str(path), found.not_valid_after_utc.timestamp())


def day(moment: float) -> str:
    """A time in Unix seconds as a day, `2026-03-01`."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")
