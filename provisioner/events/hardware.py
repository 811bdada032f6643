"""What machines are, as their stage 1 told it: one small file a hardware address."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from provisioner.errors import IntegrityError, NotFoundError
from provisioner.host.files import write_atomically
from provisioner.model.address import MacAddress

MOST = 16_384
"""How many machines are kept; of more, the one that was silent the longest goes."""


class HardwareFolder:
    """The folder of what machines told of themselves: it is evidence, not truth."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, mac: str, facts: Mapping[str, str]) -> None:
        """Keep what a machine told; nothing is written where it told the same before."""
        path, text = self._file(mac), json.dumps(dict(facts)).encode()
        if path.exists():
            if path.read_bytes() == text:
                return
        else:
            self._make_room()
        write_atomically(path, text, mode=0o640)

    def read(self, mac: str) -> dict[str, str]:
        """What a machine told. NotFoundError where it told nothing, IntegrityError for a damaged file."""
        try:
            facts: dict[str, str] = json.loads(self._file(mac).read_bytes())
        except FileNotFoundError:
            hint = "stage 1 tells it when it starts; for machines that are no nodes, set discovery.image"
            raise NotFoundError(f"the machine {mac} has not told what it is", hint=hint) from None
        except ValueError as error:
            raise IntegrityError(f"{self._file(mac)} is damaged: {error}", hint=f"rm {self._file(mac)}") from None
        return facts

    def _make_room(self) -> None:
        known = list(self._folder.glob("*.json"))
        if len(known) >= MOST:
            min(known, key=lambda each: each.stat().st_mtime).unlink(missing_ok=True)

    def _file(self, mac: str) -> Path:
        return self._folder / f"{MacAddress(mac).hyphenated}.json"
