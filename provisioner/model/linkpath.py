"""A path with links in it, followed as a system follows it whose root is elsewhere (path_resolution(7))."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

MOST_LINKS = 40
"""As many links as Linux follows before it says that they lead in a circle."""


def followed(path: str, target_of: Callable[[Sequence[str]], str | None]) -> tuple[str, ...] | None:
    """The steps from the root to where a path leads; None for links that lead in a circle.

    `target_of` tells where the link at some steps leads, and None for anything else. An absolute target starts at
    the root, and nothing leads above it. What is missing stays as written.
    """
    pending = deque(path.split("/"))
    here: list[str] = []
    links = 0
    while pending:
        part = pending.popleft()
        if part == "..":
            here = here[:-1]
        elif part not in ("", "."):
            target = target_of((*here, part))
            if target is None:
                here.append(part)
                continue
            links += 1
            if links > MOST_LINKS:
                return None
            here = [] if target.startswith("/") else here
            pending.extendleft(reversed(target.split("/")))
    return tuple(here)
