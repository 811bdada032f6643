"""What system an image holds: os-release(5)."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from provisioner.image import inside

_PLACES = ("/etc/os-release", "/usr/lib/os-release")
_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class OsRelease:
    """The name that people read, the identifier (`debian`) and the version (`12`, "" for a rolling system)."""

    name: str
    id: str
    version: str


def read(root: Path) -> OsRelease:
    """The identity of the system in a tree; "unknown" where it does not say."""
    return parse(text(root))


def text(root: Path) -> str:
    """The os-release file of a tree, "" when it has none."""
    for place in _PLACES:
        content = inside.read(root, place, limit=1 << 16)
        if content is not None:
            return content.decode("utf-8", "replace")
    return ""


def parse(text: str) -> OsRelease:
    """The identity in the text of an os-release file; lines that are no assignment are ignored."""
    fields = assignments(text)
    name = fields.get("PRETTY_NAME") or fields.get("NAME") or _UNKNOWN
    return OsRelease(name, fields.get("ID") or _UNKNOWN, fields.get("VERSION_ID", ""))


def assignments(text: str) -> dict[str, str]:
    """Everything that an os-release file sets."""
    return dict(_assignment(line) for line in text.splitlines() if "=" in line and not line.startswith("#"))


def _assignment(line: str) -> tuple[str, str]:
    key, _, value = line.partition("=")
    try:
        value = "".join(shlex.split(value))
    except ValueError:
        value = value.strip("\"' ")
    # The image is not trusted with the terminal of whoever lists it.
    return key.strip(), "".join(character for character in value if character.isprintable())
