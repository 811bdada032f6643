"""The image store as a person works with it: list, pin, copy, rename, delete, verify."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from provisioner.config.paths import Paths
from provisioner.errors import ConflictError, IntegrityError, NotFoundError, ProvisionerError
from provisioner.host.files import sync_directory
from provisioner.image import gc, scratch, store
from provisioner.image.folder import ImageFolder
from provisioner.image.inventory import inventory
from provisioner.image.tested import last
from provisioner.image.verify import Damage
from provisioner.image.verify import verify as look
from provisioner.model.catalogue import Catalogue
from provisioner.model.image import Generation
from provisioner.model.nodeset import fold
from provisioner.operations import live
from provisioner.operations.imagebundle import export, load
from provisioner.operations.imagehistory import marks_of
from provisioner.operations.imagemove import demand_here
from provisioner.operations.imageuse import ImageUse, demand_served, demand_unused, image_use
from provisioner.trust.seal import broken, sealed, unsealed

__all__ = ["export", "load"]


@dataclass(frozen=True, slots=True)
class Changed:
    """A generation that something was done to; `unserved` says why the daemon does not know of it yet."""

    generation: Generation
    unserved: str


def list_generations(paths: Paths) -> list[dict[str, Any]]:
    """Every generation as data: its record, marks (`current`, `tags`, `pinned`), `size` in bytes, and users.

    `assigned` and `running` are node sets and `nodes` how many are assigned, None where this user may not look at
    the site. `has_tree` says whether it can be changed here, None where that cannot be seen. `tested` has the
    words of the last `prov image test`, None without one.
    """
    known = store.catalogue(paths)
    use = _use(paths, known)
    return [
        {"name": each.name, **each.model_dump(mode="json"), **_standing(paths, use, each)}
        for generations in known.generations.values()
        for each in generations.values()
    ]


def standing(paths: Paths, generation: Generation) -> dict[str, Any]:
    """What is said of a generation besides its record, as `list_generations` has it."""
    return _standing(paths, _use(paths, store.catalogue(paths)), generation)


def list_kernels(paths: Paths) -> list[dict[str, Any]]:
    """The kernels in every generation, which one of each boots, and how many nodes are assigned to that."""
    known = store.catalogue(paths)
    use = _use(paths, known)
    counts = Counter({name: len(nodes) for name, nodes in use.assigned.items()}) if use else None
    return [
        {
            "generation": each.name,
            "kernel": release,
            "boots": release == each.kernel_release,
            "nodes": None if counts is None else counts[each.name] * (release == each.kernel_release),
        }
        for generations in known.generations.values()
        for each in generations.values()
        for release in _kernels(paths, each)
    ]


def pin(paths: Paths, reference: str, *, pinned: bool = True) -> Changed:
    """Keep a generation for ever, or not any more. NotFoundError when there is none."""
    found = store.find(paths, reference)
    folder = ImageFolder.of(paths, found.image)
    with scratch.pointing(paths):
        demand_here(folder, found)
        marks = folder.marks()
        if (found.number in marks.pins) != pinned:
            folder.mark(marks.pinned(found.number) if pinned else marks.unpinned(found.number))
            folder.note("pinned" if pinned else "unpinned", found.number)
    return Changed(found, "")


def copy(paths: Paths, reference: str, name: str) -> Changed:
    """A new image whose first generation is the same as another one's.

    ConflictError when the name is taken, IntegrityError for a record that is not what this site signed.
    """
    with scratch.using(paths), scratch.only_one(paths, store.check_name(name)):
        # Not before: a sweep that ends just now may take it.
        source = store.find(paths, reference)
        if ImageFolder.of(paths, name).generations():
            raise _taken(name)
        if wrong := broken(source, store.signing_keys(paths)):
            raise IntegrityError(wrong, hint=f"prov image verify {source.name}")
        update = {"image": name, "parent": source.name}
        made = store.publish(paths, source.model_copy(update=update), what="copied", detail=f"from {source.name}")
    return Changed(made, live.serve_changes(paths))


def rename(paths: Paths, name: str, new: str) -> Changed:
    """Another name for an image, with all of its generations and its history.

    Raises ConflictError when nodes or groups name it, when a node booted a generation of it last, and when the new
    name is taken, and when a daemon does not serve what is written.
    """
    if store.check_name(new) == name:
        raise _taken(new)
    demand_served(paths)
    known = store.catalogue(paths)
    generations = _generations(known, name)
    demand_unused(paths, known, generations.values())
    with scratch.only_one(paths, name), scratch.only_one(paths, new), scratch.pointing(paths):
        _make_way(paths, new, name)
        _demand_free(paths, new)
        folder = ImageFolder.of(paths, name)
        last = folder.next_number() - 1
        keys = store.signing_keys(paths)
        ours = [each for each in folder.generations().values() if not unsealed(each, keys)]
        folder.path.rename(folder.path.with_name(new))
        # Their name is part of what is signed.
        for each in ours:
            ImageFolder.of(paths, new).add(sealed(each.model_copy(update={"image": new}), keys))
        # What stays of the former name remembers its numbers: events of old boots and workers know them.
        folder.prepare()
        folder.note("renamed", last, detail=f"to {new}")
        sync_directory(folder.path.parent)
        ImageFolder.of(paths, new).note("renamed", detail=f"from {name}")
    return Changed(store.catalogue(paths).generations[new][max(generations)], live.serve_changes(paths))


def deletable(paths: Paths, reference: str) -> tuple[Generation, ...]:
    """The generations that `NAME` (all) or `NAME@N` means, when nobody uses them.

    Raises ConflictError with every user otherwise: nodes that are assigned to it or booted it last, tags, pins,
    and the bare name of an image with other generations.
    """
    known = store.catalogue(paths)
    name, at, chosen = reference.partition("@")
    if at and not chosen:
        # As `NAME@$NUMBER` is with an empty variable: that must not mean all of the image.
        hint = f"{reference}NUMBER is a generation; {name} is the image with all of them"
        raise ProvisionerError(f"{reference!r} does not say which generation", hint=hint)
    doomed = (store.find(paths, reference),) if chosen else tuple(_generations(known, name).values())
    for each in doomed:
        _refuse_marked(paths, each, is_whole=not chosen)
    demand_unused(paths, known, doomed)
    return doomed


def delete(paths: Paths, reference: str) -> tuple[Generation, ...]:
    """Forget what `deletable` allows; `prov image gc` frees the room, when nobody can be in the middle of it."""
    demand_served(paths)
    name = reference.partition("@")[0]
    with scratch.only_one(paths, store.check_name(name)), scratch.pointing(paths):
        doomed = deletable(paths, reference)
        folder = ImageFolder.of(paths, name)
        for each in doomed:
            # First the line: a number that it names is never given again.
            folder.note("deleted", each.number)
            folder.forget(each.number)
    live.serve_changes(paths)
    return doomed


def verify(paths: Paths, name: str | None = None, *, deep: bool = False) -> tuple[int, tuple[Damage, ...]]:
    """How many generations were looked at, all or those of an image or one, and what is wrong with them."""
    known = store.catalogue(paths)
    if name is None:
        chosen = [each for generations in known.generations.values() for each in generations.values()]
    elif "@" in name:
        chosen = [store.find(paths, name)]
    else:
        chosen = list(_generations(known, name).values())
    lost = _meaningless(known, {each.image for each in chosen})
    return len(chosen), (*lost, *look(paths, chosen, deep=deep))


def _meaningless(known: Catalogue, images: Collection[str]) -> Iterator[Damage]:
    for image in sorted(images):
        meant = known.current.get(image)
        if known.find(image) is None:
            message = (
                f"{image} means {f'{image}@{meant}' if meant else 'nothing'}, and there is no such generation"
            )
            yield Damage(message, (image,), f"prov image rollback {image} --to {max(known.generations[image])}")


def _refuse_marked(paths: Paths, each: Generation, *, is_whole: bool) -> None:
    marks = marks_of(ImageFolder.of(paths, each.image), each.number)
    if "pinned" in marks:
        raise ConflictError(f"{each.name} is pinned", hint=f"prov image unpin {each.name}")
    if "current" in marks and not is_whole:
        hint = f"prov image rollback {each.image} --to NUMBER, or prov image delete {each.image} for all of it"
        raise ConflictError(f"{each.name} is what {each.image} means", hint=hint)
    tags = [f"{each.image}@{mark}" for mark in marks if mark != "current"]
    if tags:
        raise ConflictError(f"{each.name} is tagged {' and '.join(tags)}", hint=f"prov image untag {tags[0]}")


def _generations(known: Catalogue, name: str) -> dict[int, Generation]:
    found = known.generations.get(name)
    if not found:
        raise NotFoundError(f"there is no image {name}", hint="prov image list")
    return dict(found)


def _make_way(paths: Paths, new: str, name: str) -> None:
    """An image may have its former name back: its own records remember the numbers."""
    folder = ImageFolder.of(paths, new)
    history = folder.history()
    if (
        not folder.generations()
        and history
        and history[-1].what == "renamed"
        and history[-1].detail == f"to {name}"
    ):
        scratch.remove(folder.path)


def _demand_free(paths: Paths, name: str) -> None:
    folder = ImageFolder.of(paths, name)
    if folder.generations():
        raise _taken(name)
    if folder.path.exists():
        hint = "choose another name: nodes may have booted generations with the numbers of this one"
        raise ConflictError(f"there was an image {name} once", hint=hint)


def _taken(name: str) -> ConflictError:
    return ConflictError(f"there is an image {name} already", hint="prov image list")


def _kernels(paths: Paths, generation: Generation) -> Iterator[str]:
    try:
        found = inventory(paths, generation)
    except ProvisionerError:
        found = None
    known = [each.release for each in found.kernels] if found else []
    yield from dict.fromkeys([*known, *filter(None, [generation.kernel_release])])


def _use(paths: Paths, known: Catalogue) -> ImageUse | None:
    try:
        return image_use(paths, known)
    except (ProvisionerError, PermissionError):
        return None


def _standing(paths: Paths, use: ImageUse | None, generation: Generation) -> dict[str, Any]:
    marks = marks_of(ImageFolder.of(paths, generation.image), generation.number)
    assigned = use.assigned.get(generation.name, ()) if use else ()
    running = use.running.get(generation.name, ()) if use else ()
    return {
        "current": "current" in marks,
        "tags": [each for each in marks if each not in {"current", "pinned"}],
        "pinned": "pinned" in marks,
        "size": sum(each.size for each in set(gc.artifacts_of(generation))),
        "has_tree": store.tree_path(paths, generation.tree).is_dir() if _may_look(paths) else None,
        "assigned": fold(assigned) if use else None,
        "running": fold(running) if use else None,
        "nodes": len(assigned) if use else None,
        "tested": result.words if (result := last(paths, generation)) else None,
    }


def _may_look(paths: Paths) -> bool:
    try:
        next((paths.images / "trees").iterdir(), None)
    except PermissionError:
        return False
    except FileNotFoundError:
        return True
    return True
