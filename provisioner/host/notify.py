"""Telling the service manager how the daemon does (sd_notify(3)); without one nothing happens."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


def watchdog_seconds(environment: Mapping[str, str] = os.environ) -> float | None:
    """How often a service manager wants to hear `WATCHDOG=1` at least, in seconds (sd_watchdog_enabled(3)).

    None where nobody waits for it.
    """
    pid, microseconds = environment.get("WATCHDOG_PID", ""), environment.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or int(microseconds) == 0 or pid not in ("", str(os.getpid())):
        return None
    return int(microseconds) / 1_000_000


def notify(*lines: str, environment: Mapping[str, str] = os.environ) -> None:
    """Send state lines such as `READY=1` to the socket that NOTIFY_SOCKET names."""
    address = environment.get("NOTIFY_SOCKET")
    if not address:
        return
    # A leading @ means Linux's abstract name space, which the kernel spells with a zero byte.
    target = f"\0{address[1:]}" if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.sendto("\n".join(lines).encode(), target)
