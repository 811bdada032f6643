"""What is known of the TPMs of nodes on the disk: one small file a node, written whole.

The daemon writes what machines show, the command line what people say of it.
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
from provisioner.model.tpm import UNKNOWN_TPM, Enrolment, KnownTpm, Shown

FOLDER = "tpm"
_SUFFIX = ".json"


class TpmFolder:
    """The folder `tpm` of a site's state. IntegrityError for a file that cannot be read."""

    def __init__(self, state: Path) -> None:
        self._folder = state / FOLDER

    def read(self, node: str) -> KnownTpm:
        """What is known of a node's TPM."""
        file = self._file(node)
        try:
            return _known(json.loads(file.read_bytes()))
        except FileNotFoundError:
            return UNKNOWN_TPM
        except OSError as error:
            raise _damaged(file, error.strerror or str(error)) from None
        except (ValueError, TypeError, KeyError, AttributeError):
            raise _damaged(file, "it is not what was written") from None

    def all(self) -> dict[str, KnownTpm]:
        """What is known of each node that anything is known of."""
        with suppress(FileNotFoundError, NotADirectoryError):
            names = sorted(each.name for each in self._folder.iterdir() if each.name.endswith(_SUFFIX))
            return {name: self.read(name) for name in (each.removesuffix(_SUFFIX) for each in names)}
        return {}

    def change(self, node: str, change: Callable[[KnownTpm], KnownTpm]) -> KnownTpm:
        """Replace what is known of a node, on the disk before this returns."""
        with locked(self._folder / ".lock"):
            before = self.read(node)
            after = change(before)
            if after == UNKNOWN_TPM:
                self._file(node).unlink(missing_ok=True)
            elif after != before:
                write_atomically(self._file(node), json.dumps(asdict(after)).encode(), mode=0o640)
            return after

    def _file(self, node: str) -> Path:
        return self._folder / f"{node}{_SUFFIX}"


def _known(data: dict[str, Any]) -> KnownTpm:
    enrolled, shown = data["enrolled"], data["shown"]
    return KnownTpm(
        Enrolment(**_numbered(enrolled)) if enrolled else None,
        Shown(**_numbered(shown)) if shown else None,
        str(data["refusal"]),
    )


def _numbered(data: dict[str, Any]) -> dict[str, Any]:
    """JSON has no numbers for keys."""
    return {**data, "registers": {int(number): str(value) for number, value in data["registers"].items()}}


def _damaged(path: Path, reason: str) -> IntegrityError:
    return IntegrityError(f"{path}: {reason}", hint=f"enrol the TPM again after: rm {path}")
