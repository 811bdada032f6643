"""Headers of rpm packages made by hand, for readers of rpm databases."""

from __future__ import annotations

import struct
from collections.abc import Sequence

INT16, INT32, STRING, STRING_ARRAY = 3, 4, 6, 8


def header(
    name: str = "toy",
    version: str = "1.0",
    release: str = "1.el9",
    *,
    epoch: int | None = None,
    architecture: str = "x86_64",
    files: Sequence[tuple[str, int]] = (),
) -> bytes:
    """A header of a package; `files` are paths and modes."""
    folders = sorted({path.rpartition("/")[0] + "/" for path, _ in files})
    tags = [text(1000, name), text(1001, version), text(1002, release), text(1022, architecture)]
    if epoch is not None:
        tags.append((1003, INT32, 1, struct.pack(">I", epoch)))
    if files:
        names = [path.rpartition("/")[2] for path, _ in files]
        places = [folders.index(path.rpartition("/")[0] + "/") for path, _ in files]
        tags += [(1030, INT16, len(files), struct.pack(f">{len(files)}H", *(mode for _, mode in files)))]
        tags += [(1116, INT32, len(files), struct.pack(f">{len(files)}I", *places))]
        tags += [
            (1117, STRING_ARRAY, len(names), _joined(names)),
            (1118, STRING_ARRAY, len(folders), _joined(folders)),
        ]
    return packed(tags)


def text(tag: int, value: str) -> tuple[int, int, int, bytes]:
    """A tag with a text."""
    return tag, STRING, 1, _joined([value])


def packed(tags: Sequence[tuple[int, int, int, bytes]]) -> bytes:
    """A header of tags: number, type, count, data."""
    entries, data = b"", b""
    for tag, kind, count, value in tags:
        entries += struct.pack(">IIiI", tag, kind, len(data), count)
        data += value
    return struct.pack(">II", len(tags), len(data)) + entries + data


def _joined(values: Sequence[str]) -> bytes:
    return b"".join(value.encode("utf-8", "surrogateescape") + b"\0" for value in values)
