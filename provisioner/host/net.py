"""The addresses of this machine's network devices, and how fast their links are."""

from __future__ import annotations

import socket
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Interface, IPv6Address
from pathlib import Path

import psutil


def addresses() -> dict[IPv4Address, str]:
    """Every IPv4 address of this machine and the name of its device."""
    return {interface.ip: name for name, interface in interfaces()}


def addresses6() -> dict[IPv6Address, str]:
    """Every IPv6 address of this machine but those of one link only, and the name of its device."""
    found = (
        (IPv6Address(each.address.partition("%")[0]), name)
        for name, all_ in psutil.net_if_addrs().items()
        for each in all_
        if each.family == socket.AF_INET6
    )
    return {address: name for address, name in found if not address.is_link_local}


def interfaces() -> list[tuple[str, IPv4Interface]]:
    """Every device with an IPv4 address, and that address with its prefix length."""
    return [
        (name, IPv4Interface(f"{each.address}/{each.netmask}"))
        for name, all_ in psutil.net_if_addrs().items()
        for each in all_
        if each.family == socket.AF_INET and each.netmask
    ]


def namespace() -> int | None:
    """The inode of this process's network namespace, which is its identity (namespaces(7)); None without /proc."""
    with suppress(OSError):
        return Path("/proc/self/ns/net").stat().st_ino
    return None


def link_speed(device: str, devices: Path = Path("/sys/class/net")) -> int | None:
    """Bits a second of the link behind a device; None where nothing real tells.

    A VLAN or a bridge is as fast as the fastest device below it. What is only software tells a number without a
    meaning, so only hardware and bonds of it are believed (Documentation/ABI/testing/sysfs-class-net: `speed`).
    """
    folder = devices / device
    if (folder / "device").exists() or (folder / "bonding").exists():
        return _told_speed(folder / "speed")
    below = (link_speed(each.name.removeprefix("lower_"), devices) for each in folder.glob("lower_*"))
    return max(filter(None, below), default=None)


def _told_speed(file: Path) -> int | None:
    try:
        megabits = int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        # A device that is down refuses to tell.
        return None
    return megabits * 10**6 if 10 <= megabits <= 10**6 else None
