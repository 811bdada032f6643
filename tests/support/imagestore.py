"""Stores of images made by hand: small trees, artifacts of a few bytes, and boots that were."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.events.store import EventStore
from provisioner.image import inventory, manifest, store
from provisioner.image.folder import ImageFolder
from provisioner.image.gc import GRACE
from provisioner.model.boot import BootRecord, TokenStage
from provisioner.model.image import Artifact, Generation
from tests.support import resolved

OLD = GRACE + 30 * 86400


def artifact(paths: Paths, content: bytes) -> Artifact:
    """A file of the store."""
    file = paths.images / "tmp" / "artifact"
    file.write_bytes(content)
    return store.add_artifact(paths, file)


def generation(
    paths: Paths,
    image: str = "toy",
    root: bytes = b"root",
    *,
    packages: str = "",
    tree: bool = False,
    age: float = 0,
) -> Generation:
    """Publish a generation whose root has some content; its record is `age` seconds old (see `let_age`).

    With a `tree` it has a small one, with an inventory, and `packages` is more of its package database.
    """
    store.prepare(paths)
    fields: dict[str, object] = {
        "kernel": artifact(paths, b"kernel"),
        "stage1": artifact(paths, b"stage 1"),
        "root": artifact(paths, root),
        "created": time.time() - age,
    }
    if tree:
        fields |= _stored_tree(paths, root, packages)
    return store.publish(paths, resolved.generation(image=image).model_copy(update=fields))


def _stored_tree(paths: Paths, content: bytes, packages: str) -> dict[str, object]:
    work = paths.images / "tmp"
    root = work / "tree"
    files = {"etc/motd": content, "usr/bin/tool": b"tool", "var/lib/dpkg/status": packages.encode()}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text)
    (root / "bin").symlink_to("usr/bin")
    (root / "usr/bin/same").hardlink_to(root / "usr/bin/tool")
    found = manifest.write(root, work / "manifest")
    inventory.write(root, work / "manifest", work / "inventory")
    listed = store.add_artifact(paths, work / "inventory")
    store.add_tree(paths, found.tree, folder=root, manifest=work / "manifest")
    return {"tree": found.tree, "tree_size": found.size, "entries": found.entries, "inventory": listed}


def let_age(paths: Paths, seconds: float = OLD) -> None:
    """Let everything in the store, and what its journals say, be from so many seconds earlier."""
    for path in paths.images.rglob("*"):
        moment = path.lstat().st_mtime - seconds
        os.utime(path, (moment, moment), follow_symlinks=False)
    for folder in ImageFolder.all(paths):
        entries = [each.model_copy(update={"time": each.time - seconds}) for each in folder.history()]
        (folder.path / "journal.jsonl").write_text("".join(each.model_dump_json() + "\n" for each in entries))


def booted(paths: Paths, boots: Mapping[str, str], *, age: float = 0.0, mac: str = resolved.MAC1) -> None:
    """Let nodes have booted generations, so many seconds ago."""
    opened = time.time() - age
    events = EventStore(paths.events)
    for node, name in boots.items():
        identity = f"{node}-{name}-{age}-{mac}"
        events.save_boot(
            BootRecord(identity, node, mac, name, resolved.REVISION, opened, TokenStage.SYSTEM, "ready", opened)
        )
    events.close()


def contents(paths: Paths) -> dict[str, bytes]:
    """Everything in the store but its locks, by path."""
    return {
        str(path.relative_to(paths.images)): path.read_bytes()
        for path in sorted(paths.images.rglob("*"))
        if path.is_file() and not path.is_symlink() and "locks" not in path.parts
    }


def served(paths: Paths) -> dict[str, Path]:
    """The files that nodes would fetch of the current generation of every image."""
    known = store.catalogue(paths)
    current = [known.generations[name][number] for name, number in known.current.items()]
    return {
        each.name + role: store.artifact_path(paths, artifact.digest)
        for each in current
        for role, artifact in each.boot_set._asdict().items()
    }
