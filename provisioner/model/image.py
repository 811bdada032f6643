"""Images and their immutable generations."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def is_digest(text: str) -> bool:
    """Whether the text is `sha256:` and 64 hexadecimal digits."""
    return _DIGEST.fullmatch(text) is not None


class Record(BaseModel):
    """Base of what is kept as JSON beside an image."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Artifact(Record):
    """A file that nodes fetch, named by its content. `size` in bytes."""

    digest: str
    size: int


class Origin(Record):
    """Where a generation came from: `kind` recipe or oci; `reference` as typed; `digest` of what it named."""

    kind: str
    reference: str
    digest: str | None = None


class Generation(Record):
    """One immutable state of an image: tree, kernel, stage 1 and root, always used together.

    `created` is Unix seconds, `tree_size` the sum of file sizes in bytes, `removed` the paths that import
    cleaned away. `inventory` says what the image holds; generations of before there were any have None.
    """

    image: str
    number: int
    created: float
    architecture: str
    os_name: str
    os_id: str
    os_version: str
    kernel_release: str
    kernel: Artifact
    stage1: Artifact
    root: Artifact
    tree: str
    tree_size: int
    entries: int
    origin: Origin
    inventory: Artifact | None = None
    removed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`debian-12@3`."""
        return f"{self.image}@{self.number}"
