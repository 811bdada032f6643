"""Documents of changes carried out on a site: many edits as one, all or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from provisioner.config.decode import Entry
from provisioner.config.excerpt import writable
from provisioner.config.marked import Span
from provisioner.errors import ConfigError, NotFoundError, Problem, ProvisionerError
from provisioner.registry import said
from provisioner.registry.changefile import Change, ChangeFile, Expand, read_changes
from provisioner.registry.facts import facts_of
from provisioner.registry.field import Assignment
from provisioner.registry.groupedits import change, delete_group, file_of, rename_group, unset_group
from provisioner.registry.manuscript import Manuscript, Texts, View, folded_names
from provisioner.registry.nodeedits import delete_nodes, file_with_room, rename_nodes, unset
from provisioner.registry.placement import lay
from provisioner.registry.revised import Revised


def apply_documents(view: View, documents: Sequence[tuple[str, str]], expand: Expand) -> Texts:
    """The new texts of files once every document is applied, one after the other.

    A document is a label for messages and a text. Its keys, all optional, are worked through in this order:

    1. `rename: {nodes: {OLD: NEW}, groups: {OLD: NEW}}`, groups first;
    2. `delete: {nodes: [NODESET], groups: [NAME]}`, nodes first;
    3. `unset: {nodes: {NODESET: [FIELD]}, groups: {NAME: [FIELD]}}`;
    4. `groups: {NAME: {...}}`: fields are laid over the group as `set` does; a group that does not exist is added;
    5. `nodes: {NODESET: {...}}`: the same for nodes; an entry with a new node is added as it is.

    Node sets are read by `expand`, which may know groups. Raises ConfigError with every mistake in the documents,
    or with the first change that cannot be made, as `label:line:column`; then nothing is changed.
    """
    files = [read_changes(label, text, expand) for label, text in documents]
    problems = [problem for each in files for problem in each.problems]
    if problems:
        raise ConfigError(problems)
    revised = Revised(view, {})
    for file in files:
        for step in (_rename, _delete, _unset, _lay_groups, _lay_nodes):
            revised = step(revised, file)
    return {file: text for file, text in revised.texts.items() if text != view.text(file)}


def _rename(view: Revised, file: ChangeFile) -> Revised:
    for each in file.rename["groups"]:
        with _at(file, each.span):
            view = view.after(rename_group(view, each.names[0], each.value[0]))
    mapping = {old: new for each in file.rename["nodes"] for old, new in zip(each.names, each.value, strict=True)}
    if mapping:
        with _at(file, file.rename["nodes"][0].span):
            view = view.after(rename_nodes(view, mapping))
    return view


def _delete(view: Revised, file: ChangeFile) -> Revised:
    names = [name for each in file.delete["nodes"] for name in each.names]
    manuscript = Manuscript.of_nodes(view, names)
    for each in file.delete["nodes"]:
        _demand_nodes(manuscript, file, each)
    if names:
        with _at(file, file.delete["nodes"][0].span):
            view = view.after(delete_nodes(view, names))
    for each in file.delete["groups"]:
        with _at(file, each.span):
            view = view.after(delete_group(view, each.names[0]))
    return view


def _unset(view: Revised, file: ChangeFile) -> Revised:
    for each in file.unset["groups"]:
        with _at(file, each.span):
            view = view.after(unset_group(view, each.names[0], each.value))
    names = [name for each in file.unset["nodes"] for name in each.names]
    manuscript = Manuscript.of_nodes(view, names)
    for each in file.unset["nodes"]:
        _demand_nodes(manuscript, file, each)
        for path in each.value:
            with _at(file, each.span):
                unset(manuscript, frozenset(each.names), path, None)
    return _after(view, manuscript, file)


def _lay_groups(view: Revised, file: ChangeFile) -> Revised:
    manuscript = Manuscript.of_groups(view)
    for entry in file.groups:
        name = entry.names[0]
        with _at(file, entry.key.span):
            if name in manuscript.passages:
                change(manuscript, manuscript.passages[name][0], _assignments(entry))
            else:
                manuscript.add(file_of(name), [name], _data(entry))
    return _after(view, manuscript, file)


def _lay_nodes(view: Revised, file: ChangeFile) -> Revised:
    manuscript = Manuscript.of_nodes(view, {name for entry in file.nodes for name in entry.names})
    for entry in file.nodes:
        names = frozenset(entry.names)
        with _at(file, entry.key.span):
            known = frozenset(name for name in names if name in manuscript.passages)
            if known == names:
                lay(manuscript, names, _assignments(entry))
            else:
                covering = manuscript.covering(known)
                manuscript.add(covering[-1].file if covering else file_with_room(manuscript), names, _data(entry))
    return _after(view, manuscript, file)


def _assignments(entry: Entry[Any]) -> list[Assignment]:
    """What an entry of a document says, as changes of single fields; marks first, as everywhere."""
    leaves = sorted(said.leaves(_data(entry)), key=lambda leaf: not said.is_mark(*leaf))
    return [each for path, value in leaves for each in _assignment(entry, path, value)]


def _assignment(entry: Entry[Any], path: said.Path, value: Any) -> Iterator[Assignment]:
    if value is not None:
        yield Assignment(path, "=", value)
    elif said.is_mark(path, value):
        yield Assignment(said.unmarked(path), "~", None)
    elif path in facts_of(entry, ""):
        # `eth0:` with nothing behind it is a device that sets nothing, `image:` is nothing at all.
        yield Assignment(path, "=", {})


def _data(entry: Entry[Any]) -> Mapping[str, Any]:
    data = writable(entry.node)
    return data if isinstance(data, Mapping) else {}


def _demand_nodes(manuscript: Manuscript, file: ChangeFile, change: Change) -> None:
    missing = [name for name in change.names if name not in manuscript.passages]
    if missing:
        with _at(file, change.span):
            raise NotFoundError(f"there is no node {folded_names(missing)}", hint="prov node list")


def _after(view: Revised, manuscript: Manuscript, file: ChangeFile) -> Revised:
    with _at(file, Span(0, 0, 0, 0)):
        return view.after(manuscript.texts())


@contextmanager
def _at(file: ChangeFile, span: Span) -> Iterator[None]:
    """Give what goes wrong inside the place in the document that asked for it."""
    try:
        yield
    except ConfigError:
        raise
    except ProvisionerError as error:
        problem = Problem(file.label, span.line, span.column, error.message, error.hint or "")
        raise ConfigError([problem]) from None
