"""Whether a root fits: the sizes of a generation against the memory of a machine."""

from __future__ import annotations

import pytest

from provisioner.boot.fitness import ROOM, misfit, needed, unpacked
from provisioner.boot.policy import decide
from provisioner.model.boot import Boot, Machine, Refused
from provisioner.model.catalogue import Catalogue
from provisioner.model.image import Artifact, Generation
from provisioner.model.resolved import ResolvedNode, ResolvedRoot
from provisioner.model.rootsize import RootSize
from provisioner.model.written import RootKind
from tests.support import resolved

MIB = 1 << 20
KINDS = frozenset(RootKind)


def artifact(mib: int) -> Artifact:
    return Artifact(digest="sha256:" + "0" * 64, size=mib * MIB)


def generation(**changes: object) -> Generation:
    """500 MiB of files, packed to 150, with a stage 1 of 20."""
    sizes = {"root": artifact(150), "stage1": artifact(20), "tree_size": 500 * MIB, "entries": 0}
    return resolved.generation().model_copy(update={**sizes, **changes})


def node(kind: RootKind, size: str | None = None) -> ResolvedNode:
    return resolved.node(root=ResolvedRoot(kind=kind, size=RootSize(size) if size else None))


@pytest.mark.parametrize(
    ("kind", "mib"),
    [
        (RootKind.OVERLAY, 128 + 70 + 150),
        (RootKind.TMPFS, 128 + 70 + 150 + 500),
        (RootKind.SINGLE, 128 + 160 + 500),
        (RootKind.STREAM, 128 + 70),
        (RootKind.DISK, 128 + 70),
    ],
)
def test_a_machine_that_lacks_a_byte_of_what_a_kind_needs_is_a_misfit(kind: RootKind, mib: int) -> None:
    made = generation(archive=artifact(160))
    assert needed(kind, made) == mib * MIB

    short = misfit(node(kind, "500MiB"), made, mib * MIB - 1, KINDS)

    assert misfit(node(kind, "500MiB"), made, mib * MIB, KINDS) is None
    assert short is not None
    assert short.reason == f"n001 has {mib - 1} MiB of memory, {kind} of debian-12@1 needs {mib} MiB"


def test_files_take_whole_pages() -> None:
    assert unpacked(generation(entries=1000)) == 500 * MIB + 1000 * 2048


@pytest.mark.parametrize(
    ("memory", "hint"),
    [
        (500, "prov node set n001 root.kind=overlay"),
        (300, "prov node set n001 root.kind=stream"),
        (100, "prov node set n001 image=SMALLER-IMAGE"),
    ],
)
def test_the_hint_is_the_first_kind_that_fits(memory: int, hint: str) -> None:
    found = misfit(node(RootKind.TMPFS), generation(), memory * MIB, KINDS)

    assert found is not None
    assert found.hint == hint


def test_a_kind_that_cannot_be_booted_is_not_proposed() -> None:
    found = misfit(node(RootKind.TMPFS), generation(), 300 * MIB, frozenset({RootKind.OVERLAY}))

    assert found is not None
    assert found.hint.endswith("image=SMALLER-IMAGE")


@pytest.mark.parametrize(
    ("size", "memory", "fits"),
    [
        ("499MiB", 4000, False),
        ("499MiB", None, False),
        ("500MiB", 4000, True),
        ("12%", 4000, False),
        ("13%", 4000, True),
        # Nobody knows a share of what nobody knows.
        ("1%", None, True),
    ],
)
def test_an_unpacked_root_stays_within_its_size(size: str, memory: int | None, fits: bool) -> None:
    found = misfit(node(RootKind.TMPFS, size), generation(), memory and memory * MIB, KINDS)

    assert (found is None) is fits
    if found:
        assert f"(root.size {size})" in found.reason
        assert found.hint == "prov node set n001 root.size=501MiB"


def test_what_a_node_writes_is_no_part_of_the_image() -> None:
    assert misfit(node(RootKind.OVERLAY, "1MiB"), generation(), 4000 * MIB, KINDS) is None


def test_the_kind_single_needs_an_archive_that_a_kernel_takes() -> None:
    absent = misfit(node(RootKind.SINGLE), generation(), None, KINDS)
    large = misfit(node(RootKind.SINGLE), generation(archive=artifact(2048)), None, KINDS)

    assert absent is not None
    assert "has no archive" in absent.reason
    assert large is not None
    assert "a kernel takes an initramfs of 2047 MiB" in large.reason


def test_the_decision_refuses_a_machine_that_told_of_too_little_memory_and_boots_one_that_told_nothing() -> None:
    small = node(RootKind.TMPFS)
    made = generation()
    images = Catalogue({"debian-12": {1: made}}, {"debian-12": 1})
    snapshot = resolved.snapshot(small)

    refused = decide(snapshot, images, Machine(resolved.MAC1, memory=ROOM))

    assert isinstance(refused, Refused)
    assert "needs 848 MiB" in refused.reason
    assert isinstance(decide(snapshot, images, Machine(resolved.MAC1)), Boot)
