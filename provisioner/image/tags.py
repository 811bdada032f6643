"""Tags and pins of an image: names for generations (`rocky-9@prod`), and those that are never collected.

With them those that must not boot any more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError

from provisioner.errors import IntegrityError, ProvisionerError
from provisioner.host.files import write_atomically
from provisioner.model.image import Record

_FILE = "marks.json"
# A tag begins with a letter: `NAME@7` is a number, and `NAME@sha256:` a tree.
_TAG = re.compile(r"[a-z][a-z0-9._-]{0,62}")
# Marks of another kind, beside which tags are shown.
_TAKEN = ("current", "pinned")


class Marks(Record):
    """The tags of an image, each with the number that it stands for, and the numbers pinned and revoked."""

    tags: Mapping[str, int] = {}
    pins: tuple[int, ...] = ()
    revoked: tuple[int, ...] = ()

    def tagged(self, tag: str, number: int) -> Marks:
        """With a tag for a generation; the tag may have stood for another one."""
        return self.model_copy(update={"tags": dict(sorted({**self.tags, tag: number}.items()))})

    def untagged(self, tag: str) -> Marks:
        """Without a tag."""
        return self.model_copy(update={"tags": {each: n for each, n in self.tags.items() if each != tag}})

    def pinned(self, number: int) -> Marks:
        """With a generation pinned."""
        return self.model_copy(update={"pins": tuple(sorted({*self.pins, number}))})

    def unpinned(self, number: int) -> Marks:
        """With a generation not pinned any more."""
        return self.model_copy(update={"pins": tuple(each for each in self.pins if each != number)})

    def revoking(self, numbers: Iterable[int]) -> Marks:
        """With these generations, and no others, that must not boot."""
        return self.model_copy(update={"revoked": tuple(sorted(numbers))})

    def tags_of(self, number: int) -> tuple[str, ...]:
        """The tags that stand for a generation, sorted."""
        return tuple(sorted(tag for tag, each in self.tags.items() if each == number))


def check_tag(tag: str) -> str:
    """A tag; ProvisionerError when it cannot be one."""
    if _TAG.fullmatch(tag) is None:
        hint = "begin with a lower-case letter; letters, digits, dots and dashes may follow, such as prod"
        raise ProvisionerError(f"{tag!r} cannot be a tag", hint=hint)
    if tag in _TAKEN:
        hint = "choose another word; prov image rollback and prov image pin do what this one says"
        raise ProvisionerError(f"{tag!r} cannot be a tag: it means something else already", hint=hint)
    return tag


def read(folder: Path) -> Marks:
    """The marks in an image's folder; IntegrityError when they cannot be read."""
    file = folder / _FILE
    try:
        return Marks.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return Marks()
    except ValidationError as error:
        hint = "correct the file, or remove it to forget all tags and pins of the image"
        message = f"{file} does not hold tags and pins: {error.errors()[0]['msg']}"
        raise IntegrityError(message, hint=hint) from None


def write(folder: Path, marks: Marks) -> None:
    """Replace the marks in an image's folder."""
    write_atomically(folder / _FILE, marks.model_dump_json(indent=2).encode() + b"\n")
