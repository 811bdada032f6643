"""Edits of groups: pure decisions from what is written to the new texts of files. Nothing is written here.

Every function raises ConfigError for a file that is no clean YAML, and EditError, a ConflictError, where a program
cannot edit the text safely.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import TypeAdapter, ValidationError

from provisioner.config.edits import Copy, Cut, Drop, Edit, Rename, Swap, Take
from provisioner.errors import ConflictError, NotFoundError, ProvisionerError
from provisioner.model.name import REMOVES, Name
from provisioner.model.nodeset import expand, fold
from provisioner.registry import said
from provisioner.registry.field import Assignment, dotted
from provisioner.registry.fieldpath import Path
from provisioner.registry.inheritance import Inheritance, origin
from provisioner.registry.manuscript import Manuscript, Passage, Texts, View, edited_texts
from provisioner.registry.placement import begin, subtract, write
from provisioner.registry.reference import Reference, references


def add_group(view: View, name: str, assignments: Sequence[Assignment]) -> Texts:
    """A new group in a file of its own; ConflictError when it exists."""
    _demand_new(view, name)
    manuscript = Manuscript.of_groups(view)
    begin(manuscript, manuscript.add(file_of(name), [name], {}), assignments)
    return manuscript.texts()


def set_group(view: View, name: str, assignments: Sequence[Assignment]) -> Texts:
    """The changes written to a group. NotFoundError when there is none, or an item to remove is nowhere."""
    manuscript, passage = _existing(view, name)
    change(manuscript, passage, assignments)
    return manuscript.texts()


def change(manuscript: Manuscript, passage: Passage, assignments: Iterable[Assignment]) -> None:
    """Make changes in the entry of a group."""
    inheritance = Inheritance(manuscript.view.groups)
    for each in assignments:
        if each.operator == "-=":
            subtract(manuscript, passage, each, inheritance)
        else:
            write(manuscript, passage, each)


def unset_group(view: View, name: str, paths: Sequence[Path], *, inherited: bool = False) -> Texts:
    """Without what a group says at some paths.

    With `inherited`, what its own groups and the lists of the product give is removed by a mark, `~field:`. Raises
    NotFoundError when there is no such group, or nothing to take away.
    """
    manuscript, passage = _existing(view, name)
    inheritance = Inheritance(view.groups)
    for path in paths:
        own = said.holds(passage.data, path)
        if own:
            manuscript.cut(passage, path)
        if inherited and inheritance.gives([passage], path):
            write(manuscript, passage, Assignment(path, "~", None))
        elif not own:
            raise _nothing(view, name, path)
    return manuscript.texts()


def delete_group(view: View, name: str, *, detach: bool = False) -> Texts:
    """Without a group; with `detach` without the references to it too.

    Raises NotFoundError when there is no such group, ConflictError, which names the users, when it is in use.
    """
    _, passage = _existing(view, name)
    users = [each for each in references(view, name) if (each.section, each.key) != ("groups", name)]
    if users and not detach:
        raise ConflictError(
            f"the group {name} is in use, by {_named(users)}",
            hint=f"remove it there, or with it: prov group delete {name} --detach",
        )
    gone: Edit = Drop(("groups", passage.key))
    return _texts(view, [*((each.file, edit) for each in users for edit in _detached(each)), (passage.file, gone)])


def rename_group(view: View, old: str, new: str) -> Texts:
    """A group with a new name, which every list of groups that names it gets too; it stays in its file.

    Raises NotFoundError when there is no such group, ConflictError when the new name is taken.
    """
    _, passage = _existing(view, old)
    _demand_new(view, new)
    swaps = [
        (each.file, Swap(each.path, f"{mark}{old}", f"{mark}{new}"))
        for each in references(view, old)
        for mark in ("", REMOVES)
    ]
    return _texts(view, [*swaps, (passage.file, Rename(("groups", passage.key), new))])


def copy_group(view: View, source: str, name: str) -> Texts:
    """A new group, behind another one in its file, that says the same in the same words.

    Raises NotFoundError when there is no such group, ConflictError when the new name is taken.
    """
    _, passage = _existing(view, source)
    _demand_new(view, name)
    return _texts(view, [(passage.file, Copy(("groups", passage.key), name))])


def file_of(name: str) -> str:
    """The file for a new group."""
    return f"groups.d/{name}.yaml"


def _existing(view: View, name: str) -> tuple[Manuscript, Passage]:
    manuscript = Manuscript.of_groups(view)
    if name not in manuscript.passages:
        raise NotFoundError(f"there is no group {name}", hint=f"prov group add {name}")
    return manuscript, manuscript.passages[name][0]


def _demand_new(view: View, name: str) -> None:
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        message = str(error.errors()[0]["ctx"]["error"])
        raise ProvisionerError(message, hint="choose another name") from None
    entry = view.groups.get(name)
    if entry is not None:
        message = f"the group {name} exists already, at {entry.file}:{entry.key.span.line}"
        raise ConflictError(message, hint=f"prov group set {name} ...")


def _nothing(view: View, name: str, path: Path) -> NotFoundError:
    place = origin(view.groups, [view.groups[name]], path)
    if place is None:
        return NotFoundError(f"nothing sets {dotted(path)} of the group {name}", hint=f"prov group show {name}")
    message = f"the group {name} does not set {dotted(path)}; it comes from {place}"
    hint = f"to remove it all the same: prov group unset {name} {dotted(path)} --inherited"
    return NotFoundError(message, hint=hint)


def _named(users: Sequence[Reference]) -> str:
    groups = ", ".join(each.key for each in users if each.section == "groups")
    nodes = {name for each in users if each.section == "nodes" for name in _names(each.key)}
    shown = [f"the groups {groups}" if groups else "", f"the nodes {fold(nodes)} ({len(nodes)})" if nodes else ""]
    return " and ".join(each for each in shown if each)


def _names(key: str) -> tuple[str, ...]:
    try:
        return expand(key)
    except ValueError:
        return (key,)


def _detached(reference: Reference) -> list[Edit]:
    if not reference.others:
        return [Cut(reference.path)]
    return [Take(reference.path, item) for item in dict.fromkeys(reference.items)]


def _texts(view: View, edits: Sequence[tuple[str, Edit]]) -> Texts:
    of_section: dict[str, dict[str, list[Edit]]] = {"groups": {}, "nodes": {}}
    for file, edit in edits:
        of_section[edit.path[0]].setdefault(file, []).append(edit)
    return {
        **edited_texts(view, "groups", of_section["groups"]),
        **edited_texts(view, "nodes", of_section["nodes"]),
    }
