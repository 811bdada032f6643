"""What a node is told before and after, compared: answers by answers, file by file."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from provisioner.errors import ProvisionerError
from provisioner.model.resolved import ResolvedNode
from provisioner.model.secret import reference
from provisioner.operations.bootanswers import Lines, Told, told
from provisioner.operations.bystanders import BYSTANDERS, Fields, differing, read_by_scripts
from provisioner.operations.filechanges import FileChange, FileChanges
from provisioner.operations.likeness import Likeness
from provisioner.operations.side import Side
from provisioner.overlay.rendered import OverlayKind

FILE = "file"

# What is a set of lines, whose order means nothing.
_UNORDERED = frozenset({"image", "kernel line", "dhcp", "dns"})
_ORDER = ("image", "boot script", "kernel line", "dhcp", "dns", FILE)


@dataclass(frozen=True, slots=True)
class Change:
    """What is told differently: `what` (image, boot script, kernel line, dhcp, dns, file), which one, and how.

    A line starts with `-` or `+`, or with a blank where it only shows the place.
    """

    what: str
    name: str
    lines: Lines

    @property
    def key(self) -> tuple[str, str, Lines]:
        """What is the same for nodes with the same change: the lines around it may be others."""
        return self.what, self.name, tuple(line for line in self.lines if not line.startswith(" "))


class Comparison:
    """Two sides, and the nodes on each. A node that is the same object on both has not been edited."""

    def __init__(self, before: Side, after: Side) -> None:
        self._before = before
        self._after = after
        self.old = before.snapshot.nodes
        self.new = after.snapshot.nodes
        self._files = FileChanges(before, after, _secrets(before, after))
        self._read_of = lru_cache(maxsize=None)(self._read_by_scripts)
        self._same_site = before.snapshot.site == after.snapshot.site

    def node(self, name: str) -> tuple[str, tuple[Change, ...]]:
        """What happens to a node (changed, new or deleted), and all that its boot does differently."""
        old, new = self.old.get(name), self.new.get(name)
        if old is not None and new is not None:
            return "changed", self._changed(old, new)
        if new is not None:
            return "new", _came(Likeness(new), self._after, new, "+")
        return "deleted", _came(Likeness(old), self._before, old, "-") if old is not None else ()

    def likeness(self, name: str) -> Likeness:
        """The words of a node."""
        old, new = self.old.get(name), self.new.get(name)
        node = new or old
        if node is None:
            raise ValueError(f"neither side has a node {name}")
        return Likeness(node, old if new is not None else None)

    def _changed(self, old: ResolvedNode, new: ResolvedNode) -> tuple[Change, ...]:
        likeness = Likeness(new, old)
        changes: list[Change] = []
        if not self._same_site or not self._same_scripts(new) or self._hears_of(old, new):
            network = not self._same_site or _in_the_network(old) != _in_the_network(new)
            answers = told(self._before, old, network=network), told(self._after, new, network=network)
            changes += _differences(*answers, likeness)
        for kind in OverlayKind:
            changes += (_worded(each, likeness) for each in self._files.of(kind, old, new))
        return _merged(changes)

    def _hears_of(self, old: ResolvedNode, new: ResolvedNode) -> bool:
        """Whether a node differs in anything that policies or boot scripts look at."""
        fields = differing(old, new)
        return not fields <= BYSTANDERS or not fields.isdisjoint(self._read_of(new.script))

    def _read_by_scripts(self, script: str) -> Fields:
        # Of one text on both sides one look is enough.
        return read_by_scripts(self._after, (script, "local", "refused"))

    def _same_scripts(self, node: ResolvedNode) -> bool:
        names = (node.script, "local", "refused")
        return all(_text(self._before, name) == _text(self._after, name) for name in names)


def _worded(change: FileChange, likeness: Likeness) -> Change:
    """A change of a file, in words that are the same for all nodes where the lines are not."""
    if not change.is_own:
        return Change(FILE, change.path, change.lines)
    return Change(FILE, likeness.of(change.path), tuple(map(likeness.of, change.lines)))


def _in_the_network(node: ResolvedNode) -> object:
    """All of a node that DHCP and DNS answer from."""
    return node.name, node.domain, node.primary, node.interfaces, node.bmc and node.bmc.ip


def _text(side: Side, name: str) -> str:
    try:
        return side.template(name)
    except (ProvisionerError, KeyError):
        return ""


def _secrets(*sides: Side) -> frozenset[str]:
    nodes = (node for side in sides for node in side.snapshot.nodes.values())
    found = (node.bmc.password.reveal() for node in nodes if node.bmc and node.bmc.password)
    return frozenset(password for password in found if reference(password) is None)


def _differences(before: Told, after: Told, likeness: Likeness) -> Iterator[Change]:
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key, ()), after.get(key, ())
        if old != new:
            compare = _sets if key[0] in _UNORDERED else _sequences
            lines = tuple(map(likeness.of, compare(old, new)))
            # An address that only changes its words ("{old ip}") has changed all the same.
            yield Change(*key, lines)


def _sets(old: Lines, new: Lines) -> Iterator[str]:
    yield from (f"-{line}" for line in old if line not in set(new))
    yield from (f"+{line}" for line in new if line not in set(old))
    if set(old) == set(new):
        yield f"-order: {' '.join(old)}"
        yield f"+order: {' '.join(new)}"


def _sequences(old: Lines, new: Lines) -> Iterator[str]:
    lines = list(difflib.unified_diff(old, new, lineterm="", n=1))[2:]
    return (line for line in lines if not line.startswith("@@"))


def _came(likeness: Likeness, side: Side, node: ResolvedNode, sign: str) -> tuple[Change, ...]:
    """All that a new node gets, or a deleted one got, without the contents of files."""
    answers = {key: lines for key, lines in told(side, node).items() if key[0] != "boot script"}
    changes = [
        Change(*key, tuple(likeness.of(f"{sign}{line}") for line in lines)) for key, lines in answers.items()
    ]
    for kind in OverlayKind:
        if kind.names(node):
            lines = tuple(likeness.of(f"{sign}{line}") for line in _listed(side, node, kind))
            changes.append(Change(FILE, f"{kind} overlay", lines))
    return _merged(changes)


def _listed(side: Side, node: ResolvedNode, kind: OverlayKind) -> Iterator[str]:
    try:
        tree = side.tree(node, kind)
    except ProvisionerError as error:
        yield f"cannot be rendered: {error.message}"
        return
    yield from (f"{entry.path} {entry.kind.name.lower()} {entry.mode:04o}" for entry in tree)


def _merged(changes: list[Change]) -> tuple[Change, ...]:
    """Changes of one kind with the same lines as one: four kinds of firmware mostly get the same answer."""
    names: dict[tuple[str, Lines], list[str]] = {}
    for change in changes:
        known = names.setdefault((change.what, change.lines), [])
        if change.name not in known:
            known.append(change.name)
    merged = (Change(what, ", ".join(each), lines) for (what, lines), each in names.items() if lines)
    return tuple(sorted(merged, key=lambda change: _ORDER.index(change.what)))
