"""What was done to an image, by whom and when: one JSON object a line, only ever added to."""

from __future__ import annotations

import os
import time
from pathlib import Path

from pydantic import ValidationError

from provisioner.host.files import sync_directory
from provisioner.host.who import who
from provisioner.model.image import Record


class Entry(Record):
    """One thing that was done to an image.

    `time` is Unix seconds. `what` is made, loaded, copied, current, tagged, untagged, pinned, unpinned, deleted,
    collected or renamed; `number` the generation that it is about, `before` the one that was current until then.
    `detail` says more: a tag, a file, the former name.
    """

    time: float
    who: str
    what: str
    number: int | None = None
    before: int | None = None
    detail: str = ""


def append(
    file: Path, what: str, number: int | None = None, *, before: int | None = None, detail: str = ""
) -> Entry:
    """Add a line, in the name of whoever runs this process, and sync it."""
    entry = Entry(time=time.time(), who=who(), what=what, number=number, before=before, detail=detail)
    is_new = not file.exists()
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    with os.fdopen(handle, "ab") as stream:
        # A line that a crash cut short must not swallow the next one.
        stream.write(_missing_newline(handle) + entry.model_dump_json(exclude_defaults=True).encode() + b"\n")
        stream.flush()
        os.fsync(handle)
    if is_new:
        sync_directory(file.parent)
    return entry


def read(file: Path) -> tuple[Entry, ...]:
    """All lines, oldest first. A line that is none is left out: a crash or a hand may have cut it short."""
    try:
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        return ()
    found = []
    for line in lines:
        try:
            found.append(Entry.model_validate_json(line))
        except ValidationError:
            continue
    return tuple(found)


def _missing_newline(handle: int) -> bytes:
    size = os.fstat(handle).st_size
    return b"\n" if size and os.pread(handle, 1, size - 1) != b"\n" else b""
