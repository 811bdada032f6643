"""Values of a Berkeley DB hash file, which is where rpm kept its packages up to EL 8. Safe for any bytes.

The layout is that of `dbinc/db_page.h` of Berkeley DB 5: pages of one size, each with a header of 26 bytes; hash
pages hold keys and values in turn, found by an array of offsets; what does not fit lies on a chain of overflow
pages. Deleted and free pages are of other types. Only what rpm writes is read: hash files without encryption.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO

from provisioner.errors import IntegrityError

_MAGIC = 0x061561
_META = 72
_HEADER = 26
_SIZES = {1 << power for power in range(9, 17)}
_HASH_PAGES = {2, 13}
_OVERFLOW_PAGE = 7
_HERE, _ELSEWHERE = 1, 3
_MOST_BYTES = 256 << 20


def values(stream: IO[bytes]) -> Iterator[bytes]:
    """Every value, in the order of the pages. IntegrityError for a file that is none, or damaged."""
    file = _File(stream)
    for number in range(1, file.last + 1):
        page = file.page(number)
        if page[25] in _HASH_PAGES:
            yield from _values(file, page)


class _File:
    """The pages of a file, in the byte order that it says."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        meta = stream.read(_META)
        if len(meta) < _META:
            raise IntegrityError("a Berkeley DB file ends too early")
        self._order = "<" if struct.unpack_from("<I", meta, 12)[0] == _MAGIC else ">"
        magic, _, self.size = self.numbers("III", meta, 12)
        (self.last,) = self.numbers("I", meta, 32)
        if magic != _MAGIC or self.size not in _SIZES or meta[24]:
            raise IntegrityError("the file is no Berkeley DB hash, or an encrypted one")

    def numbers(self, kinds: str, data: bytes, offset: int) -> tuple[int, ...]:
        """Numbers at an offset; IntegrityError when they are beyond the end."""
        try:
            return struct.unpack_from(self._order + kinds, data, offset)
        except struct.error:
            raise IntegrityError("a Berkeley DB page points outside of itself") from None

    def page(self, number: int) -> bytes:
        """A whole page."""
        self._stream.seek(number * self.size)
        page = self._stream.read(self.size)
        if len(page) < self.size:
            raise IntegrityError("a Berkeley DB file ends too early")
        return page


def _values(file: _File, page: bytes) -> Iterator[bytes]:
    (entries,) = file.numbers("H", page, 20)
    offsets = file.numbers(f"{entries}H", page, _HEADER)
    for key, value in zip(offsets[0::2], offsets[1::2], strict=False):
        # Items grow down from the end of the page: a value ends where its key begins.
        item = page[value:key]
        if item[:1] == bytes([_ELSEWHERE]):
            yield _chain(file, *file.numbers("II", item, 4))
        elif item[:1] == bytes([_HERE]):
            yield item[1:]


def _chain(file: _File, number: int, length: int) -> bytes:
    """The value that begins on an overflow page."""
    if length > _MOST_BYTES:
        raise IntegrityError("a value in a Berkeley DB file is too long")
    found = bytearray()
    for _ in range(file.last):
        page = file.page(number)
        (used,) = file.numbers("H", page, 22)
        if page[25] != _OVERFLOW_PAGE or not 0 < used <= file.size - _HEADER:
            raise IntegrityError("a value in a Berkeley DB file breaks off")
        found += page[_HEADER : _HEADER + used]
        if len(found) >= length:
            return bytes(found[:length])
        (number,) = file.numbers("I", page, 16)
    raise IntegrityError("a value in a Berkeley DB file goes round in a circle")
