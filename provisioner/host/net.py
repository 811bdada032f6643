"""The addresses of this machine's network devices."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Interface

import psutil


def addresses() -> dict[IPv4Address, str]:
    """Every IPv4 address of this machine and the name of its device."""
    return {interface.ip: name for name, interface in interfaces()}


def interfaces() -> list[tuple[str, IPv4Interface]]:
    """Every device with an IPv4 address, and that address with its prefix length."""
    return [
        (name, IPv4Interface(f"{each.address}/{each.netmask}"))
        for name, all_ in psutil.net_if_addrs().items()
        for each in all_
        if each.family == socket.AF_INET and each.netmask
    ]
