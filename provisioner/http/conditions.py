"""What a request asks of a file that never changes: all of it, a part, or only whether it is still the same.

RFC 9110 sections 13 and 14. The entity tag is the digest of the content, which is a strong one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import hdrs, web

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_TAG = re.compile(r'(W/)?"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of a file: `count` from `start` of `size`; `partial` says that a range was asked for."""

    start: int
    count: int
    size: int
    partial: bool

    @property
    def is_last(self) -> bool:
        """Whether the file ends here."""
        return self.start + self.count == self.size


def part_of(headers: Mapping[str, str], size: int, tag: str, *, method: str = hdrs.METH_GET) -> Part | None:
    """What to send of a file of `size` bytes; None where the client has it already (304).

    Files of the store have no date: If-Unmodified-Since says nothing (section 13.1.4). A range is for GET alone.

    Several ranges at once, and units that are not bytes, are answered with the whole file, as section 14.2 allows.
    HTTPRequestRangeNotSatisfiable names the size, HTTPPreconditionFailed the header; both have a body.
    """
    if not _matches(headers.get(hdrs.IF_MATCH, "*"), tag, weak=False):
        raise web.HTTPPreconditionFailed(text="a file of the store never changes: ask without a condition\n")
    if _matches(headers.get(hdrs.IF_NONE_MATCH, ""), tag, weak=True):
        return None
    wanted = headers.get(hdrs.RANGE, "") if method == hdrs.METH_GET else ""
    if not wanted.startswith("bytes=") or "," in wanted or not _same(headers.get(hdrs.IF_RANGE), tag):
        return Part(0, size, size, partial=False)
    return _range(wanted, size)


def _range(wanted: str, size: int) -> Part:
    match = _RANGE.fullmatch(wanted.replace(" ", ""))
    first, last = match.groups() if match else ("", "")
    start, end = _ends(first, last, size)
    if start >= min(end, size):
        headers = {hdrs.CONTENT_RANGE: f"bytes */{size}"}
        text = f"the file has {size} bytes; {wanted!r} is no range of them\n"
        raise web.HTTPRequestRangeNotSatisfiable(text=text, headers=headers)
    return Part(start, min(end, size) - start, size, partial=True)


def _ends(first: str, last: str, size: int) -> tuple[int, int]:
    if first:
        return int(first), int(last) + 1 if last else size
    # The last so many bytes.
    return (max(0, size - int(last)), size) if last and int(last) else (size, size)


def _matches(header: str, tag: str, *, weak: bool) -> bool:
    if header.strip() == "*":
        return True
    return any(found[2] == tag and (weak or not found[1]) for found in _TAG.finditer(header))


def _same(header: str | None, tag: str) -> bool:
    """If-Range: a date is as good as nothing, because a file of the store has none."""
    return header is None or header.strip() == f'"{tag}"'
