"""Images and their immutable generations."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from provisioner.errors import ProvisionerError

ARTIFACTS = ("kernel", "stage1", "root", "inventory", "archive", "verity", "uki")
"""The fields of a generation that name files of the store."""

NO_STREAM = "its kernel has no nbd or dm-verity, or it was packed by an earlier version"
"""Why there is no hash tree of a generation (image.packing)."""

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
    """Where a generation came from.

    `kind` is recipe, command, generation, or that of a source (registry, oci, docker-archive, tar, directory,
    sif, ssh); `reference` as typed, `digest` of what it named, `platform` such as linux/amd64, `signature` what is
    known of who signed it, in words.
    """

    kind: str
    reference: str
    digest: str | None = None
    platform: str = ""
    signature: str = ""


class Packing(Record):
    """How a tree becomes what nodes fetch; a generation that is made of another one is packed as that was.

    `release` is that of the kernel to boot, or how it starts (the newest one when empty). `excludes` are paths
    that stay out of the root: `/usr/share/doc/*` from the top, `*.pyc` at any depth; what is in a folder goes with
    it. `drivers` must be in stage 1, or in the kernel itself. `profile` "release" takes much longer for a smaller
    root. `codec` is the compression of the root (zstd, gzip, xz, lz4); the kernel's own configuration decides when
    empty. With `archive` the tree is packed as an initramfs too, for roots of kind single; `streamed` packs the
    root in small blocks, for nodes that read it block by block.
    """

    release: str = ""
    excludes: tuple[str, ...] = ()
    drivers: tuple[str, ...] = ()
    profile: Literal["quick", "release"] = "quick"
    codec: str = ""
    archive: bool = False
    streamed: bool = False

    @property
    def thorough(self) -> bool:
        """Whether time is spent to make the files smaller."""
        return self.profile == "release"


class BootSet(NamedTuple):
    """What a node fetches to boot: always of one generation."""

    kernel: Artifact
    stage1: Artifact
    root: Artifact


class Generation(Record):
    """One immutable state of an image: tree, kernel, stage 1 and root, always used together.

    `created` is Unix seconds, `made_by` the user who made it, `tree_size` the sum of file sizes in bytes, and
    `removed` the paths that import cleaned away. `inventory` says what the image holds; generations of before
    there were any have None. `parent` (NAME@NUMBER) is the generation that this one was made of, `note` what
    a person says of it, and `packing` how its tree was packed.

    `signature` is the site's, over the manifest of the generation (`trust.seal`).

    `archive` is the tree as a cpio archive, for nodes whose root is the initramfs. `verity` is the hash tree of
    `root` and `verity_root` its root hash in hexadecimal, for nodes that read the root block by block.

    `uki` is kernel and stage 1 as one program of UEFI, signed by the site (image.unified); `uki_anchor` is the
    digest of the keys in it, by which a head node knows whether they are those of today (trust.anchor).
    `selinux` is the policy that labels `root`, and its mode (`targeted, enforcing`); empty without labels.

    A *base* is a tree that cannot boot: it has no kernel, stage 1 or root, and `lacks` says what is missing.
    """

    image: str
    number: int
    created: float
    architecture: str
    os_name: str
    os_id: str
    os_version: str
    kernel_release: str = ""
    kernel: Artifact | None = None
    stage1: Artifact | None = None
    root: Artifact | None = None
    lacks: tuple[str, ...] = ()
    tree: str
    tree_size: int
    entries: int
    origin: Origin
    inventory: Artifact | None = None
    archive: Artifact | None = None
    verity: Artifact | None = None
    verity_root: str = ""
    uki: Artifact | None = None
    uki_anchor: str = ""
    selinux: str = ""
    removed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    parent: str | None = None
    made_by: str = ""
    note: str = ""
    packing: Packing = Packing()
    signature: str = ""

    @property
    def name(self) -> str:
        """`debian-12@3`."""
        return f"{self.image}@{self.number}"

    @property
    def artifacts(self) -> dict[str, Artifact]:
        """All files of the generation by what they are; those that it does not have are left out."""
        known = {name: getattr(self, name) for name in ARTIFACTS}
        return {name: artifact for name, artifact in known.items() if artifact is not None}

    @property
    def boots(self) -> bool:
        """Whether nodes can boot it."""
        return None not in (self.kernel, self.stage1, self.root)

    @property
    def streams(self) -> bool:
        """Whether nodes can read its root block by block."""
        return self.root is not None and self.verity is not None

    @property
    def boot_set(self) -> BootSet:
        """What nodes fetch; ProvisionerError for a base."""
        if self.kernel is None or self.stage1 is None or self.root is None:
            raise ProvisionerError(f"{self.name} cannot boot: {self.why_not}", hint=self.remedy)
        return BootSet(self.kernel, self.stage1, self.root)

    @property
    def why_not(self) -> str:
        """What keeps a base from booting, in words."""
        return f"it lacks {' and '.join(self.lacks) or 'a kernel, stage 1 or root'}"

    @property
    def remedy(self) -> str:
        """The command that makes a base bootable."""
        return f"prov image build RECIPE --from {self.image} --name NAME adds what is missing"
