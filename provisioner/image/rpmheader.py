"""Headers of installed RPM packages, as an rpm database holds them: bounded, and safe for any bytes.

RPM file format, section "Header": two big-endian counts (entries, bytes of data), entries of 16 bytes (tag, type,
offset, count), then the data that they point into.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from provisioner.errors import IntegrityError

_COUNTS = struct.Struct(">II")
_ENTRY = struct.Struct(">IIiI")
# As in rpm itself: no header has more entries or more data.
_MOST_ENTRIES = 0xFFFF
_MOST_DATA = 0x0FFFFFFF
_MOST_FILES = 1_000_000
_DIRECTORY, _KIND = 0o040000, 0o170000


class _Tag(IntEnum):
    NAME = 1000
    VERSION = 1001
    RELEASE = 1002
    EPOCH = 1003
    ARCHITECTURE = 1022
    FILE_MODES = 1030
    DIRECTORY_INDEXES = 1116
    BASE_NAMES = 1117
    DIRECTORY_NAMES = 1118


class _Type(IntEnum):
    INT16 = 3
    INT32 = 4
    STRING = 6
    STRING_ARRAY = 8


_TAGS: Mapping[int, _Type] = {
    _Tag.NAME: _Type.STRING,
    _Tag.VERSION: _Type.STRING,
    _Tag.RELEASE: _Type.STRING,
    _Tag.EPOCH: _Type.INT32,
    _Tag.ARCHITECTURE: _Type.STRING,
    _Tag.FILE_MODES: _Type.INT16,
    _Tag.DIRECTORY_INDEXES: _Type.INT32,
    _Tag.BASE_NAMES: _Type.STRING_ARRAY,
    _Tag.DIRECTORY_NAMES: _Type.STRING_ARRAY,
}


@dataclass(frozen=True, slots=True)
class Header:
    """A package: `version` is `[EPOCH:]VERSION-RELEASE`, `files` the paths of all that is no directory."""

    name: str
    version: str
    architecture: str
    files: tuple[str, ...]


def parse(blob: bytes) -> Header:
    """The package in a header. IntegrityError when the bytes are none, or name no package."""
    if len(blob) < _COUNTS.size:
        raise IntegrityError("an rpm header ends too early")
    entries, size = _COUNTS.unpack_from(blob)
    start = _COUNTS.size + entries * _ENTRY.size
    if not 0 < entries <= _MOST_ENTRIES or size > _MOST_DATA or start + size > len(blob):
        raise IntegrityError("an rpm header says that it is longer than it is")
    data = blob[start : start + size]
    found: dict[int, tuple[int, int]] = {}
    for tag, kind, offset, count in _ENTRY.iter_unpack(blob[_COUNTS.size : start]):
        if _TAGS.get(tag) == kind:
            found.setdefault(tag, (offset, count))
    values = _Values(data, found)
    return Header(
        values.text(_Tag.NAME), _version(values), values.text(_Tag.ARCHITECTURE, "noarch"), _files(values)
    )


class _Values:
    """The data of a header, by tag."""

    def __init__(self, data: bytes, places: Mapping[int, tuple[int, int]]) -> None:
        self._data = data
        self._places = places

    def text(self, tag: _Tag, default: str | None = None) -> str:
        """The text of a tag; `default` where it is missing, IntegrityError where there is none."""
        found = self.texts(tag)
        if found:
            return found[0]
        if default is None:
            raise IntegrityError(f"an rpm header has no {tag.name.lower()}")
        return default

    def texts(self, tag: _Tag) -> list[str]:
        """The texts of a tag, one where it is no array."""
        offset, count = self._places.get(tag, (0, 0))
        count = min(count, 1) if _TAGS[tag] is _Type.STRING else count
        self._demand(offset, count)
        texts = []
        for _ in range(count):
            end = self._data.find(b"\0", offset)
            if end < 0:
                raise IntegrityError("a text in an rpm header has no end")
            texts.append(self._data[offset:end].decode("utf-8", "surrogateescape"))
            offset = end + 1
        return texts

    def numbers(self, tag: _Tag) -> tuple[int, ...]:
        """The numbers of a tag."""
        offset, count = self._places.get(tag, (0, 0))
        code, width = ("H", 2) if _TAGS[tag] is _Type.INT16 else ("I", 4)
        self._demand(offset, count * width)
        return struct.unpack_from(f">{count}{code}", self._data, offset) if count else ()

    def _demand(self, offset: int, size: int) -> None:
        if offset < 0 or offset + size > len(self._data) or size > 4 * _MOST_FILES:
            raise IntegrityError("an rpm header points outside of itself")


def _version(values: _Values) -> str:
    epoch = values.numbers(_Tag.EPOCH)[:1]
    version = f"{values.text(_Tag.VERSION)}-{values.text(_Tag.RELEASE)}"
    return f"{epoch[0]}:{version}" if epoch else version


def _files(values: _Values) -> tuple[str, ...]:
    names, folders = values.texts(_Tag.BASE_NAMES), values.texts(_Tag.DIRECTORY_NAMES)
    places, modes = values.numbers(_Tag.DIRECTORY_INDEXES), values.numbers(_Tag.FILE_MODES)
    if not len(names) == len(places) == len(modes) or any(place >= len(folders) for place in places):
        raise IntegrityError("the lists of files in an rpm header do not fit together")
    return tuple(
        folders[place] + name
        for name, place, mode in zip(names, places, modes, strict=True)
        if mode & _KIND != _DIRECTORY
    )
