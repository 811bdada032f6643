"""Will the root of a node fit into its memory? Pure: sizes of a generation against a machine.

What each kind takes was measured in virtual machines (docs/roots.md). At the narrowest moment of a boot there are

    overlay        stage 1, the packed root, room to work
    tmpfs          stage 1, the packed root, the unpacked root, room to work
    single         the packed archive, the unpacked root, room to work
    stream, disk   stage 1, room to work

and the unpacked root must stay within the size that it may have. These are what a boot cannot do without: that the
programs of the node have room beside it is not told here.
"""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.model.image import Generation
from provisioner.model.resolved import ResolvedNode, ResolvedRoot
from provisioner.model.rootsize import RootSize
from provisioner.model.written import RootKind

ROOM = 128 << 20
"""Bytes that a system needs to come up beside its root; stage 1 leaves them free too."""

INITRD_LIMIT = 0x7FFF_FFFF
"""`initrd_addr_max` of x86 Linux (Documentation/arch/x86/boot.rst): loaders put no initramfs above it."""

DEFAULT_SIZES = {RootKind.TMPFS: RootSize("80%"), RootKind.SINGLE: RootSize("80%")}
"""What an unpacked root may take where nothing is written; elsewhere it is what the node may write: 50%."""

_WRITTEN = RootSize("50%")
_UNPACKED = frozenset(DEFAULT_SIZES)
# Stage 1 is a tmpfs, and its archive lies beside it while it is unpacked: 17 MiB become 48.
_STAGE1 = 3.5
# A file takes whole pages, and half of its last one is empty.
_LAST_PAGE = 2048


@dataclass(frozen=True, slots=True)
class Misfit:
    """What does not fit, and the command that helps."""

    reason: str
    hint: str


def limit_of(root: ResolvedRoot) -> RootSize:
    """What of the memory the root may take, written or not."""
    return root.size or DEFAULT_SIZES.get(root.kind, _WRITTEN)


def unpacked(generation: Generation) -> int:
    """Bytes that the tree takes in a file system in memory: an upper bound, what is left out of it included."""
    return generation.tree_size + generation.entries * _LAST_PAGE


def needed(kind: RootKind, generation: Generation) -> int:
    """Bytes of memory without which a machine cannot boot a generation with a root of this kind."""
    parts = generation.boot_set
    before = int(parts.stage1.size * _STAGE1) + ROOM
    match kind:
        case RootKind.OVERLAY:
            return before + parts.root.size
        case RootKind.TMPFS:
            return before + parts.root.size + unpacked(generation)
        case RootKind.SINGLE:
            packed = generation.archive.size if generation.archive else 0
            return ROOM + packed + unpacked(generation)
        case RootKind.STREAM | RootKind.DISK:
            return before


def misfit(
    node: ResolvedNode, generation: Generation, memory: int | None, kinds: frozenset[RootKind]
) -> Misfit | None:
    """Why a node cannot hold the root that it is to have; None where it can, or nobody knows.

    `memory` is the bytes that its machine has said to have, `kinds` what may be proposed in its place.
    """
    kind, name = node.root.kind, node.name
    if kind is RootKind.SINGLE and (found := _unloadable(node, generation)):
        return found
    limit, tree = limit_of(node.root), unpacked(generation)
    if memory is not None and memory < (least := needed(kind, generation)):
        reason = f"{name} has {memory >> 20} MiB of memory, {kind} of {generation.name} needs {least >> 20} MiB"
        return Misfit(reason, _smaller(name, generation, memory, kinds))
    if kind in _UNPACKED and (bound := _bound(limit, memory)) is not None and bound < tree:
        has = f"{kind} of {generation.name} has {tree >> 20} MiB"
        reason = f"{has}, and the root of {name} may take {bound >> 20} MiB"
        written = "" if node.root.size is None else f" (root.size {limit})"
        return Misfit(f"{reason}{written}", f"prov node set {name} root.size={_enough(tree)}")
    return None


def _unloadable(node: ResolvedNode, generation: Generation) -> Misfit | None:
    if generation.archive is None:
        reason = f"{generation.name} has no archive, which a root of kind single boots"
        return Misfit(reason, f"prov image exec {generation.image} --archive -- true, or root.kind=overlay")
    if generation.archive.size >= INITRD_LIMIT:
        size = f"{generation.archive.size >> 20} MiB, a kernel takes an initramfs of {INITRD_LIMIT >> 20} MiB"
        return Misfit(
            f"the archive of {generation.name} has {size}",
            f"prov node set {node.name} root.kind={RootKind.OVERLAY}",
        )
    return None


def _bound(limit: RootSize, memory: int | None) -> int | None:
    """The limit in bytes, where it can be told."""
    return None if memory is None and limit.share is not None else limit.of(memory or 0)


def _smaller(name: str, generation: Generation, memory: int, kinds: frozenset[RootKind]) -> str:
    """The kind that leaves a node the most of its memory without more of the head node, if one fits."""
    for kind in (RootKind.OVERLAY, RootKind.STREAM, RootKind.DISK):
        if kind in kinds and needed(kind, generation) <= memory:
            return f"prov node set {name} root.kind={kind}"
    return f"prov node set {name} image=SMALLER-IMAGE"


def _enough(tree: int) -> str:
    return f"{(tree >> 20) + 1}MiB"
