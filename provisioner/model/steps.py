"""Dotted paths: keys with dots between them; a key that holds a dot itself goes in double quotes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

_STEP = re.compile(r'"(?P<quoted>(?:\\.|[^"\\])*)"(?=\.|\Z)|(?P<bare>[^.]*)', re.DOTALL)
_QUOTED = re.compile(r'[."\\=\s]|[+-]\Z')


def dotted(steps: Iterable[str]) -> str:
    """Keys as a path, those in quotes that could not be told apart without."""
    return ".".join(map(_typed, steps))


def split(path: str) -> tuple[str, ...]:
    """The keys of a path. A quote that is not closed is a letter like any other."""
    return tuple(key for key, _ in placed(path))


@lru_cache(maxsize=1024)
def placed(path: str) -> tuple[tuple[str, int], ...]:
    """The keys of a path, each with the offset at which it begins."""
    found: list[tuple[str, int]] = []
    offset = 0
    while (match := _STEP.match(path, offset)) is not None:
        bare = match["bare"]
        found.append((re.sub(r"\\(.)", r"\1", match["quoted"]) if bare is None else bare, offset))
        if match.end() == len(path):
            break
        offset = match.end() + 1
    return tuple(found)


def _typed(step: str) -> str:
    if step and not _QUOTED.search(step):
        return step
    escaped = step.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
