"""Images: list and show, and what is inside of them."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable
from typing import Any

from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError
from provisioner.image import store
from provisioner.image.inventory import files, inventory
from provisioner.model.image import Generation
from provisioner.model.imagefiles import ImageFile
from provisioner.model.inventory import Inventory

Say = Callable[[str], None]


def list_images(paths: Paths) -> tuple[tuple[Generation, bool], ...]:
    """Every generation, by image and number, and whether it is the image's current one."""
    known = store.catalogue(paths)
    return tuple(
        (generation, generation.number == known.current.get(name))
        for name, generations in known.generations.items()
        for generation in generations.values()
    )


def show_image(paths: Paths, reference: str) -> Generation:
    """The generation that `NAME`, `NAME@NUMBER` or `NAME@sha256:TREE` means."""
    return store.find(paths, reference)


def record(generation: Generation) -> dict[str, Any]:
    """A generation as the data that commands and the control interface give out."""
    found = {"name": generation.name, **generation.model_dump(mode="json")}
    return found if generation.boots else {**found, "remedy": generation.remedy}


def describe(paths: Paths, generation: Generation) -> dict[str, Any]:
    """The record of a generation, and a summary of what it holds; without one where it has no inventory."""
    found = inventory(paths, generation)
    if found is None:
        return record(generation)
    return {
        **record(generation),
        "init": found.init.model_dump() if found.init else None,
        "kernels": [each.release for each in found.kernels],
        "network": [each.model_dump() for each in found.network],
        "services": [each.model_dump() for each in found.services],
        "package_manager": found.package_manager,
        "packages": len(found.packages),
        "units": len(found.units),
        "users": len(found.users),
        "groups": len(found.groups),
    }


def list_packages(paths: Paths, reference: str) -> list[dict[str, Any]]:
    """The packages of a generation: name, version, architecture. NotFoundError where it has no inventory."""
    return [each.model_dump() for each in _held(paths, reference)[1].packages]


def list_units(paths: Paths, reference: str) -> list[dict[str, Any]]:
    """The units of a generation: name, state, wanted_by. NotFoundError where it has no inventory."""
    return [each.model_dump(mode="json") for each in _held(paths, reference)[1].units]


def list_users(paths: Paths, reference: str) -> list[dict[str, Any]]:
    """The users of a generation: name, uid, gid, home, shell. NotFoundError where it has no inventory."""
    return [each.model_dump() for each in _held(paths, reference)[1].users]


def list_files(paths: Paths, reference: str, pattern: str) -> list[dict[str, Any]]:
    """The entries of a generation whose absolute paths fit a pattern of stars, `?` and `[...]`.

    A star stands for slashes too. A path without any of these is followed as the image would (/bin/sh lies in
    /usr/bin). NotFoundError where the generation has no inventory.
    """
    generation, _ = _held(paths, reference)
    known = files(paths, generation)
    if known is None:
        return []
    if not any(sign in pattern for sign in "*?["):
        found = known.get(known.place(pattern) or "")
        return [] if found is None else [_file(found)]
    fits = re.compile(fnmatch.translate(pattern)).match
    return [_file(known[path]) for path in known if fits(path)]


def _held(paths: Paths, reference: str) -> tuple[Generation, Inventory]:
    generation = store.find(paths, reference)
    found = inventory(paths, generation)
    if found is None:
        hint = "build or import the image again: generations of before this version have no inventory"
        raise NotFoundError(f"{generation.name} has no inventory", hint=hint)
    return generation, found


def _file(found: ImageFile) -> dict[str, Any]:
    fields = {**found._asdict(), "kind": found.kind.value, "mode": f"{found.mode:04o}"}
    return {**fields, "path": _printable(found.path), "target": _printable(found.target)}


def _printable(path: str) -> str:
    """A path with what could move a terminal's cursor, and with bytes that are no text, written as escapes."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
