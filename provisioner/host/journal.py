"""The journal of a change of many files: what is to be done, in one file that is there whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import IntegrityError

_VERSION = 1

Note = Mapping[str, str | int | float | None]


@dataclass(frozen=True, slots=True)
class Place:
    """The folder whose files are changed together, and the folder of the journal; two file systems are fine."""

    root: Path
    state: Path

    @property
    def draft(self) -> Path:
        """A journal that is being written: nothing is decided yet."""
        return self.state / "journal.new"

    @property
    def journal(self) -> Path:
        """A journal that counts: from here on the new state is the truth."""
        return self.state / "journal"

    @property
    def closed(self) -> Path:
        """The journal of the last commit, all of which is in place. Another inode means that there was another."""
        return self.state / "journal.done"


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one file.

    `path` is its name below the root, `target` the file that this name leads to through symlinks, also below the
    root. `before` is the SHA-256 in hexadecimal of what it held, None where there was no file; `content` is what
    it will hold, None to remove it.
    """

    path: str
    target: str
    before: str | None
    content: bytes | None

    @property
    def after(self) -> str | None:
        """The SHA-256 of the new content, None where there will be no file."""
        return digest(self.content)


@dataclass(frozen=True, slots=True)
class Journal:
    """The steps of a change, the folders that it makes (outermost first), and a note for whoever records it."""

    steps: tuple[Step, ...]
    folders: tuple[str, ...]
    note: Note


def digest(content: bytes | None) -> str | None:
    """The SHA-256 of a content in hexadecimal, None for no file."""
    return None if content is None else hashlib.sha256(content).hexdigest()


def encode(journal: Journal) -> bytes:
    """The journal as JSON; bytes that are no UTF-8 survive as lone surrogates."""
    steps = [
        {"path": step.path, "target": step.target, "before": step.before, "content": _text(step.content)}
        for step in journal.steps
    ]
    data = {"version": _VERSION, "note": journal.note, "folders": journal.folders, "steps": steps}
    return json.dumps(data, indent=1).encode()


def read(path: Path) -> Journal | None:
    """The journal in a file, None when there is no file; IntegrityError when it is no journal of this version."""
    try:
        stored = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        # Who may not look into the state folder sees the files as they lie there.
        return None
    try:
        data = json.loads(stored)
        if data["version"] != _VERSION:
            raise _damaged(path, f"version {data['version']}, and this program reads {_VERSION}")
        steps = tuple(
            Step(each["path"], each["target"], each["before"], _bytes(each["content"])) for each in data["steps"]
        )
        return Journal(steps, tuple(data["folders"]), data["note"])
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, str(error)) from None


def mark(place: Place) -> tuple[int, int, int] | None:
    """Another value after every commit, for those who read files without the lock: compare before and after."""
    try:
        status = place.closed.stat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def _damaged(path: Path, reason: str) -> IntegrityError:
    hint = f"it holds the new texts of the files that it names: compare them, then mv {path} {path}.damaged"
    return IntegrityError(f"the journal {path} cannot be read: {reason}", hint=hint)


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode(errors="surrogateescape")


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode(errors="surrogateescape")
