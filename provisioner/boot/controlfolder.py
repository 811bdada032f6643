"""Orders for single boots and fall-backs on the disk: one small file a node, written whole, read at every script.

The command line writes them and the daemon reads them, without a word between the two, so an order that is given
while the daemon is down is as good as any other.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from provisioner.errors import IntegrityError
from provisioner.host.files import locked, write_atomically
from provisioner.model.bootcontrol import NOTHING, Control, Fallback, Once

FOLDER = "boot-control"
_SUFFIX = ".json"


class ControlFolder:
    """The folder `boot-control` of a site's state. IntegrityError for a file that cannot be read."""

    def __init__(self, state: Path) -> None:
        self._folder = state / FOLDER

    def read(self, node: str) -> Control:
        """What holds for a node."""
        try:
            text = self._file(node).read_bytes()
        except FileNotFoundError:
            return NOTHING
        except OSError as error:
            raise _damaged(self._file(node), error.strerror or str(error)) from None
        try:
            return _control(json.loads(text))
        except (ValueError, TypeError, KeyError, AttributeError):
            raise _damaged(self._file(node), "it is not what was written") from None

    def all(self) -> dict[str, Control]:
        """What holds for each node that anything holds for."""
        with suppress(FileNotFoundError, NotADirectoryError):
            names = sorted(each.name for each in self._folder.iterdir() if not each.name.startswith("."))
            found = {name: self.read(name) for name in (each.removesuffix(_SUFFIX) for each in names)}
            return {name: control for name, control in found.items() if control != NOTHING}
        return {}

    def change(self, node: str, change: Callable[[Control], Control]) -> Control:
        """Replace what holds for a node, on the disk before this returns; nothing is written where it is equal."""
        with locked(self._folder / ".lock"):
            before = self.read(node)
            after = change(before)
            if after == NOTHING:
                self._file(node).unlink(missing_ok=True)
            elif after != before:
                write_atomically(self._file(node), json.dumps(asdict(after)).encode(), mode=0o640)
            return after

    def _file(self, node: str) -> Path:
        return self._folder / f"{node}{_SUFFIX}"


def _control(data: dict[str, Any]) -> Control:
    once, fallback = data["once"], data["fallback"]
    return Control(
        Once(**{**once, "boots": tuple(once["boots"])}) if once else None,
        Fallback(**fallback) if fallback else None,
        float(data["since"]),
    )


def _damaged(path: Path, reason: str) -> IntegrityError:
    return IntegrityError(f"{path}: {reason}", hint=f"give the order again after: rm {path}")
