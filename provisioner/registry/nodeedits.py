"""Edits of nodes: pure decisions from what is written to the new texts of files. Nothing is written here.

`names` are the nodes that the edit is about, expanded. Every function raises ConfigError for a file that is no
clean YAML, and EditError, a ConflictError, where a program cannot edit the text safely.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from provisioner.config.emit import Writable
from provisioner.errors import ConflictError, NotFoundError, ProvisionerError
from provisioner.model.nodeset import expand, fold
from provisioner.registry import said
from provisioner.registry.combine import combined
from provisioner.registry.field import Assignment, dotted
from provisioner.registry.fieldpath import Path
from provisioner.registry.inheritance import Inheritance, lasting, origin
from provisioner.registry.manuscript import Manuscript, Texts, View, folded_names
from provisioner.registry.placement import begin, lay

NEW_NODES = "nodes.d/nodes.yaml"

# A file of more characters is slow to read for people and for a command that changes one node.
_FULL = 65_536
_USUAL_ENTRY = 100
_MOST_FILES = 10_000


def add_nodes(view: View, names: Iterable[str], assignments: Sequence[Assignment]) -> Texts:
    """One new entry for new nodes; ConflictError when one of them exists."""
    wanted = _free(view, names)
    manuscript = Manuscript.of_nodes(view, ())
    add(manuscript, wanted, assignments)
    return manuscript.texts()


def add(manuscript: Manuscript, names: Iterable[str], assignments: Sequence[Assignment]) -> None:
    """A new entry for nodes that no entry names yet, in a file for new nodes that has room."""
    begin(manuscript, manuscript.add(file_with_room(manuscript), names, {}), assignments)


def set_nodes(view: View, names: Iterable[str], assignments: Sequence[Assignment]) -> Texts:
    """The changes written for exactly these nodes.

    Raises NotFoundError for nodes that do not exist, ConflictError where other entries stand in the way.
    """
    manuscript, wanted = existing(view, names)
    lay(manuscript, wanted, assignments)
    return manuscript.texts()


def unset_nodes(view: View, names: Iterable[str], paths: Sequence[Path], *, inherited: bool = False) -> Texts:
    """Without what the entries of these nodes alone say at some paths.

    What an entry with other nodes says too is removed for these by a mark, `~field:`, in an entry of their own;
    with `inherited` also what their groups and the lists of the product give. Raises NotFoundError for nodes that
    do not exist, and where there is nothing to take away, with the place that the value comes from.
    """
    manuscript, wanted = existing(view, names)
    inheritance = Inheritance(view.groups)
    for path in paths:
        unset(manuscript, wanted, path, inheritance if inherited else None)
    return manuscript.texts()


def unset(manuscript: Manuscript, names: frozenset[str], path: Path, inheritance: Inheritance | None) -> None:
    """Take away what is said about these nodes at a path, with `inheritance` also what their groups say."""
    own = [each for each in manuscript.covering(names) if each.names <= names and said.holds(each.data, path)]
    for each in own:
        manuscript.cut(each, path)
    left = _left(manuscript, names, path, inheritance)
    if left:
        lay(manuscript, left, [Assignment(path, "~", None)])
    elif not own:
        raise _nothing(manuscript, names, path)


def delete_nodes(view: View, names: Iterable[str]) -> Texts:
    """Without these nodes: entries of them alone go, the key of an entry with others is folded to the rest.

    Raises NotFoundError for nodes that do not exist.
    """
    manuscript, wanted = existing(view, names)
    covering = manuscript.covering(wanted)
    for each in covering:
        if each.names <= wanted:
            manuscript.drop(each)
            manuscript.keys_of(each.file).discard(each.key)
    for each in covering:
        if not each.names <= wanted:
            manuscript.rename(each, sorted(each.names - wanted))
    return manuscript.texts()


def rename_nodes(view: View, mapping: Mapping[str, str]) -> Texts:
    """Nodes with new names; an entry that they share with others is split, and the others keep it.

    A counting address counts with the number in the new name, so it may change; callers show the difference.
    Raises NotFoundError for nodes that do not exist, ConflictError for a new name that a node has which keeps it.
    """
    renamed = {old: new for old, new in mapping.items() if old != new}
    if mapping and not renamed:
        return {}
    manuscript, wanted = existing(view, renamed)
    _demand_free(view, renamed)
    covering = manuscript.covering(wanted)
    for each in covering:
        manuscript.keys_of(each.file).discard(each.key)
    for each in covering:
        staying = sorted(each.names - wanted)
        new = sorted(renamed[name] for name in each.names & wanted)
        if staying:
            manuscript.copy(each, new)
        manuscript.rename(each, staying or new)
    return manuscript.texts()


def copy_node(view: View, source: str, names: Iterable[str]) -> Texts:
    """New nodes that say what the entries of another say, in one entry, without what tells machines apart.

    Left out: uuid, serial, asset, MACs, and addresses that do not count. Raises NotFoundError when there is no
    such node, ConflictError when a new one exists.
    """
    covering = existing(view, [source])[0].covering([source])
    data = _without_identity(combined(each.data for each in covering))
    wanted = _free(view, names)
    manuscript = Manuscript.of_nodes(view, ())
    manuscript.add(file_with_room(manuscript), wanted, data)
    return manuscript.texts()


def _left(
    manuscript: Manuscript, names: frozenset[str], path: Path, inheritance: Inheritance | None
) -> frozenset[str]:
    """The nodes for which entries, and with `inheritance` groups, still give something at a path."""
    known: dict[tuple[int, ...], bool] = {}
    left = []
    for name in names:
        passages = manuscript.covering([name])
        profile = tuple(map(id, passages))
        if profile not in known:
            default = inheritance is not None and inheritance.gives(passages, path)
            known[profile] = lasting((each.data for each in passages), path, at_first=default)
        if known[profile]:
            left.append(name)
    return frozenset(left)


def _nothing(manuscript: Manuscript, names: frozenset[str], path: Path) -> NotFoundError:
    name = min(names)
    place = origin(manuscript.view.groups, manuscript.view.entries_of([name]), path)
    if place is None:
        return NotFoundError(f"nothing sets {dotted(path)} of {name}", hint=f"prov node show {name}")
    nodes = folded_names(sorted(names))
    message = f"no entry of {nodes} sets {dotted(path)}; it comes from {place}"
    hint = f"to remove it all the same: prov node unset {nodes} {dotted(path)} --inherited"
    return NotFoundError(message, hint=hint)


def _wanted(names: Iterable[str]) -> frozenset[str]:
    wanted = frozenset(names)
    if not wanted:
        raise ProvisionerError("no node is named", hint="a node set looks like n[001-004,010] or n1,n2")
    return wanted


def _free(view: View, names: Iterable[str]) -> frozenset[str]:
    """Names of new nodes, as a set; ConflictError when one of them exists."""
    wanted = _wanted(names)
    taken = sorted(name for name in wanted if view.has(name))
    if taken:
        raise ConflictError(
            f"{fold(taken)} exists already{_at(view, taken)}", hint=f"prov node set {fold(taken)} ..."
        )
    return wanted


def existing(view: View, names: Iterable[str]) -> tuple[Manuscript, frozenset[str]]:
    """The entries of nodes, and their names as a set.

    Raises NotFoundError when one does not exist, ConflictError when it is written with mistakes.
    """
    wanted = _wanted(names)
    manuscript = Manuscript.of_nodes(view, wanted)
    missing = sorted(wanted.difference(manuscript.passages))
    if any(view.has(name) for name in missing):
        raise ConflictError(f"what is written about {fold(missing)} cannot be read", hint="prov check")
    if missing:
        raise NotFoundError(f"there is no node {fold(missing)}", hint=f"prov node add {fold(missing)}")
    return manuscript, wanted


def _demand_free(view: View, renamed: Mapping[str, str]) -> None:
    given = Counter(renamed.values())
    for old, new in renamed.items():
        if given[new] > 1:
            raise ConflictError(f"two nodes would get the name {new}", hint="give each a name of its own")
        try:
            known = expand(new) == (new,)
        except ValueError as error:
            raise ProvisionerError(str(error), hint="choose another name") from None
        if not known:
            raise ProvisionerError(f"{new!r} is not one name", hint=f"prov node rename {old} NAME")
        if view.has(new) and new not in renamed:
            raise ConflictError(f"{new} exists already{_at(view, [new])}", hint=f"prov node delete {new}")


def _at(view: View, names: Sequence[str]) -> str:
    entry = next(iter(view.entries_of(names)), None)
    return f", at {entry.file}:{entry.key.span.line}" if entry else ""


def file_with_room(manuscript: Manuscript) -> str:
    """The first file for new nodes that is not full."""
    stem = NEW_NODES.removesuffix(".yaml")
    for number in range(1, _MOST_FILES):
        file = NEW_NODES if number == 1 else f"{stem}-{number:04}.yaml"
        size = len(manuscript.view.text(file) or "") + manuscript.fresh[file] * _USUAL_ENTRY
        if size < _FULL:
            return file
    return NEW_NODES


def _without_identity(data: Mapping[str, Writable]) -> dict[str, Writable]:
    kept = dict(data)
    for path, value in list(said.leaves(data)):
        on_device = (path[0], len(path)) in {("interfaces", 3), ("bmc", 2)}
        fixed = path[-1] in {"ip", "ip6"} and not str(value).endswith("+")
        if path[0] in {"uuid", "serial", "asset"} or (on_device and (fixed or path[-1] == "mac")):
            kept = said.without(kept, path)
    return kept
