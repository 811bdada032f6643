"""How fast the links to the networks are, looked at now and then: a cable may come late, or into a slower port."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

_LOOK_SECONDS = 60.0


class Links:
    """The measured speeds of links, by network. `measure` may wait, so it runs beside the event loop."""

    def __init__(self, devices: Mapping[str, str], measure: Callable[[str], int | None]) -> None:
        self._devices = devices
        self._measure = measure
        self._speeds = self._look()
        self._looked = time.monotonic()
        self._looking: asyncio.Future[dict[str, int | None]] | None = None

    def speed(self, network: str) -> int | None:
        """Bits a second, at most a minute old when somebody asks all the time; None where it is not known."""
        if self._looking is not None and self._looking.done():
            self._speeds, self._looking = self._looking.result(), None
        if self._looking is None and time.monotonic() - self._looked > _LOOK_SECONDS:
            self._looked = time.monotonic()
            self._looking = asyncio.get_running_loop().run_in_executor(None, self._look)
        return self._speeds.get(network)

    def _look(self) -> dict[str, int | None]:
        return {network: self._measure(device) for network, device in self._devices.items()}
