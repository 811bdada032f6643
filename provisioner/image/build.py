"""From a source to a generation: obtain a tree, tidy it, look at it, pack it, publish it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.errors import ProvisionerError
from provisioner.host.who import who
from provisioner.image import (
    architecture,
    inside,
    inventory,
    kernel,
    manifest,
    osrelease,
    stage1,
    store,
    unified,
    unpack,
)
from provisioner.image.kernel import Kernel
from provisioner.image.manifest import Manifest
from provisioner.image.packing import INITS, pack
from provisioner.image.scratch import workspace
from provisioner.image.signing import sign_in_place
from provisioner.image.tidy import tidy
from provisioner.model.image import Artifact, Generation, Origin, Packing
from provisioner.trust.bootkey import BootKey

Say = Callable[[str], None]
Obtain = Callable[[Path], "Obtained"]

_PINNED = {"kernel", "stage1", "root", "tree", "archive", "verity", "verity_root", "selinux"}


@dataclass(frozen=True, slots=True)
class Obtained:
    """A tree's story: where it came from, its time in Unix seconds, and what a person should know.

    `parent` is the generation that it was made of. `may_be_base`: a tree that cannot boot is kept as a base.
    `unchanged` is the generation that this is when its tree is that one's.
    """

    origin: Origin
    epoch: int
    warnings: tuple[str, ...] = ()
    parent: str | None = None
    note: str = ""
    may_be_base: bool = False
    unchanged: Generation | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The generation that a build led to; `is_new` is false when it is the current one again."""

    generation: Generation
    is_new: bool


@dataclass(frozen=True, slots=True)
class _Tree:
    """A tree that was looked at: its list, what it holds, and the kernel to boot or what it lacks."""

    folder: Path
    listing: Path
    found: Manifest
    inventory: Path
    kernel: Kernel | None
    lacks: tuple[str, ...]
    removed: tuple[str, ...]
    notes: tuple[str, ...]


def build(
    paths: Paths,
    name: str,
    obtain: Obtain,
    *,
    say: Say,
    release: str | None = None,
    packing: Packing | None = None,
) -> Outcome:
    """Make the next generation of an image from the tree that `obtain` puts into a new directory.

    A result that equals the current generation is not published again. `say` gets a line for every step.
    `release` is that of the kernel to boot, or how it starts; the packing's, or the newest one otherwise.
    Raises ProvisionerError when the tree cannot boot and may not be a base, or would take the place of a
    generation that boots, and ConflictError when the image is being built already.
    """
    unpack.require_root()
    packing = packing or Packing()
    packing = packing if release is None else packing.model_copy(update={"release": release})
    store.prepare(paths)
    with workspace(paths, store.check_name(name)) as work:
        folder = work / "tree"
        obtained = obtain(folder)
        removed = tidy(folder)
        say("read the tree")
        tree = _look(folder, work, removed=removed, release=packing.release)
        if obtained.unchanged is not None and tree.found.tree == obtained.unchanged.tree:
            return Outcome(obtained.unchanged, is_new=False)
        current = store.catalogue(paths).find(name)
        _refuse_base(tree, obtained, current)
        packed, warnings = _packed(paths, work, tree, packing, epoch=obtained.epoch, say=say)
        listed = store.add_artifact(paths, tree.inventory)
        warnings = (*obtained.warnings, *warnings, *_acl_warnings(tree.found), *tree.notes)
        update = {**packed, "packing": packing, "warnings": warnings, "inventory": listed}
        candidate = _describe(name, tree, obtained).model_copy(update=update)
        # Also that of a generation that is here: its tree may be missing, as after a bundle without trees.
        store.add_tree(paths, tree.found.tree, folder=folder, manifest=tree.listing)
        return _published(paths, candidate, current, work, say)


def _published(paths: Paths, candidate: Generation, current: Generation | None, work: Path, say: Say) -> Outcome:
    if current is not None and _same(candidate, current):
        return Outcome(unified.renewed(paths, current, work, say=say), is_new=False)
    finish = partial(unified.joined, paths, work=work, say=say)
    return Outcome(store.publish(paths, candidate, finish=finish), is_new=True)


def _same(candidate: Generation, current: Generation) -> bool:
    """Whether nodes would boot the same; a generation without an inventory gives way to one that has it."""
    pinned = candidate.model_dump(include=_PINNED) == current.model_dump(include=_PINNED)
    return pinned and current.inventory is not None


def _look(folder: Path, work: Path, *, removed: tuple[str, ...], release: str) -> _Tree:
    listing, facts = work / "manifest", work / "inventory"
    kernels = kernel.find(folder)
    chosen = kernel.choose(kernels, release)
    found = manifest.write(folder, listing)
    held = inventory.write(folder, listing, facts)
    lacks = _missing_parts(folder, kernels)
    return _Tree(folder, listing, found, facts, chosen, lacks, removed, held.notes)


def _refuse_base(tree: _Tree, obtained: Obtained, current: Generation | None) -> None:
    """Nodes that boot an image must go on to; a base of the same name would take the boot away from them."""
    if not tree.lacks:
        return
    message = f"{obtained.origin.reference} cannot boot: it lacks {' and '.join(tree.lacks)}"
    if not obtained.may_be_base:
        raise ProvisionerError(message, hint="add the packages of a kernel and of systemd to the recipe")
    if current is not None and current.boots:
        hint = f"import it under another name, such as {current.image}-base, and build on it: {current.remedy}"
        raise ProvisionerError(f"{message}, and would take the place of {current.name}, which boots", hint=hint)


def _missing_parts(tree: Path, kernels: tuple[Kernel, ...]) -> tuple[str, ...]:
    parts = [] if kernels else ["a kernel with its modules"]
    if not any(inside.is_regular(inside.resolve(tree, path)) for path in INITS):
        parts.append("an init (/sbin/init)")
    return tuple(parts)


def _packed(
    paths: Paths, work: Path, tree: _Tree, packing: Packing, *, epoch: int, say: Say
) -> tuple[dict[str, Artifact | str], tuple[str, ...]]:
    """What packing adds to a generation, by the names of the fields, and warnings; nothing for a base."""
    if tree.kernel is None or tree.lacks:
        return {}, ()
    module = paths.data / "images" / "stage1" / stage1.MODULE
    done = pack(tree.folder, tree.kernel, work, packing, module=module, epoch=epoch, say=say)
    key = BootKey.below(paths.keys)
    if key.exists and key.signs_kernels:
        say("sign the kernel")
        sign_in_place(done.files["kernel"], key, paths.state / "secureboot" / "signed")
    made: dict[str, Artifact | str] = {"verity_root": done.verity_root, "selinux": done.selinux}
    return made | {name: store.add_artifact(paths, file) for name, file in done.files.items()}, done.warnings


def _describe(name: str, tree: _Tree, obtained: Obtained) -> Generation:
    system = osrelease.read(tree.folder)
    machine = tree.kernel.machine if tree.kernel else architecture.machine(obtained.origin.platform)
    return Generation(
        image=name,
        number=0,
        created=time.time(),
        architecture=machine,
        os_name=system.name,
        os_id=system.id,
        os_version=system.version,
        kernel_release=tree.kernel.release if tree.kernel else "",
        lacks=tree.lacks,
        tree=tree.found.tree,
        tree_size=tree.found.size,
        entries=tree.found.entries,
        origin=obtained.origin,
        removed=tree.removed,
        parent=obtained.parent,
        made_by=who(),
        note=obtained.note,
    )


def _acl_warnings(found: Manifest) -> tuple[str, ...]:
    # systemd-tmpfiles sets those of the journal again at every boot.
    lost = [path for path in found.acls if not path.startswith("var/log/journal")]
    return (f"squashfs drops POSIX ACLs: {', '.join(lost[:5])} ({len(lost)} in all)",) if lost else ()
