"""Tells the service manager that the event loop still turns: one that hangs is started again (WatchdogSec=)."""

from __future__ import annotations

import asyncio

from provisioner.host.notify import notify, watchdog_seconds


async def beat() -> None:
    """Say `WATCHDOG=1` four times in the time that the service manager waits; return where nobody waits."""
    seconds = watchdog_seconds()
    while seconds is not None:
        notify("WATCHDOG=1")
        await asyncio.sleep(seconds / 4)
