"""From a source to a generation: obtain a tree, tidy it, look at it, pack it, publish it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.errors import ProvisionerError
from provisioner.image import (
    codec,
    inside,
    inventory,
    kernel,
    manifest,
    osrelease,
    squashfs,
    stage1,
    store,
    unpack,
)
from provisioner.image.kernel import Kernel
from provisioner.image.manifest import Manifest
from provisioner.image.scratch import workspace
from provisioner.image.tidy import tidy
from provisioner.model.image import Artifact, Generation, Origin

Say = Callable[[str], None]

_INITS = ("/sbin/init", "/lib/systemd/systemd")
_PINNED = {"kernel", "stage1", "root", "tree"}


@dataclass(frozen=True, slots=True)
class Obtained:
    """A tree's story: where it came from, its time in Unix seconds, and what a person should know."""

    origin: Origin
    epoch: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The generation that a build led to; `is_new` is false when it is the current one again."""

    generation: Generation
    is_new: bool


@dataclass(frozen=True, slots=True)
class _Packed:
    kernel: Artifact
    stage1: Artifact
    root: Artifact


def build(paths: Paths, name: str, obtain: Callable[[Path], Obtained], *, say: Say) -> Outcome:
    """Make the next generation of an image from the tree that `obtain` puts into a new directory.

    A result that equals the current generation is not published again. `say` gets a line for every step.
    Raises ProvisionerError when the tree cannot boot and ConflictError when the image is being built already.
    """
    unpack.require_root()
    store.prepare(paths)
    with workspace(paths, store.check_name(name)) as work:
        tree = work / "tree"
        obtained = obtain(tree)
        removed = tidy(tree)
        chosen = _bootable(tree, obtained)
        say("read the tree")
        listing = work / "manifest"
        found = manifest.write(tree, listing)
        facts = inventory.write(tree, listing, work / "inventory")
        codecs = codec.choose(tree, chosen)
        packed = _pack(paths, work, chosen, codecs=codecs, epoch=obtained.epoch, say=say)
        warnings = (*obtained.warnings, *codecs.warnings, *_acl_warnings(found), *facts.notes)
        candidate = _describe(name, tree, chosen, found=found, packed=packed, obtained=obtained)
        listed = store.add_artifact(paths, work / "inventory")
        update = {"removed": removed, "warnings": warnings, "inventory": listed}
        candidate = candidate.model_copy(update=update)
        current = store.catalogue(paths).find(name)
        if current is not None and _same(candidate, current):
            return Outcome(current, is_new=False)
        store.add_tree(paths, found.tree, folder=tree, manifest=listing)
        return Outcome(store.publish(paths, candidate), is_new=True)


def _same(candidate: Generation, current: Generation) -> bool:
    """Whether nodes would boot the same; a generation without an inventory gives way to one that has it."""
    pinned = candidate.model_dump(include=_PINNED) == current.model_dump(include=_PINNED)
    return pinned and current.inventory is not None


def _bootable(tree: Path, obtained: Obtained) -> Kernel:
    kernels = kernel.find(tree)
    missing = _missing_parts(tree, kernels)
    if missing:
        message = f"{obtained.origin.reference} cannot boot: it lacks {' and '.join(missing)}"
        hint = "import an image with a kernel and systemd installed; a bare container needs both added first"
        raise ProvisionerError(message, hint=hint)
    return kernels[-1]


def _missing_parts(tree: Path, kernels: tuple[Kernel, ...]) -> tuple[str, ...]:
    parts = [] if kernels else ["a kernel with its modules"]
    if not any(inside.is_regular(inside.resolve(tree, path)) for path in _INITS):
        parts.append("an init (/sbin/init)")
    return tuple(parts)


def _pack(paths: Paths, work: Path, chosen: Kernel, *, codecs: codec.Codecs, epoch: int, say: Say) -> _Packed:
    files = {name: work / name for name in ("kernel", "stage1", "root", "scratch")}
    shutil.copyfile(chosen.file, files["kernel"])
    say(f"make stage 1 for kernel {chosen.release}")
    files["scratch"].mkdir()
    module = paths.data / "images" / "stage1" / stage1.MODULE
    stage1.build(
        work / "tree",
        chosen,
        module=module,
        output=files["stage1"],
        codec=codecs.stage1,
        scratch=files["scratch"],
    )
    say(f"pack the root as squashfs ({codecs.root.value})")
    squashfs.pack(work / "tree", files["root"], codec=codecs.root, epoch=epoch)
    return _Packed(*(store.add_artifact(paths, files[name]) for name in ("kernel", "stage1", "root")))


def _describe(
    name: str, tree: Path, chosen: Kernel, *, found: Manifest, packed: _Packed, obtained: Obtained
) -> Generation:
    system = osrelease.read(tree)
    return Generation(
        image=name,
        number=0,
        created=time.time(),
        architecture="x86_64",
        os_name=system.name,
        os_id=system.id,
        os_version=system.version,
        kernel_release=chosen.release,
        kernel=packed.kernel,
        stage1=packed.stage1,
        root=packed.root,
        tree=found.tree,
        tree_size=found.size,
        entries=found.entries,
        origin=obtained.origin,
    )


def _acl_warnings(found: Manifest) -> tuple[str, ...]:
    # systemd-tmpfiles sets those of the journal again at every boot.
    lost = [path for path in found.acls if not path.startswith("var/log/journal")]
    return (f"squashfs drops POSIX ACLs: {', '.join(lost[:5])} ({len(lost)} in all)",) if lost else ()
