"""Which files of a node's overlays become others between two revisions.

Most nodes are the same before and after; what their templates read besides the node is the same for a whole class
of them, and is looked at once a class. Only what reads other values than before is rendered.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile

from provisioner.archive.tree import Entry, Kind
from provisioner.errors import ProvisionerError
from provisioner.model.resolved import ResolvedNode
from provisioner.model.secret import HIDDEN
from provisioner.operations.bystanders import BYSTANDERS, Fields, differing, read_by_pieces
from provisioner.operations.side import Side
from provisioner.overlay.context import SHARED, Context, Head
from provisioner.overlay.library import Piece
from provisioner.overlay.manifest import MANIFEST, beside, in_words
from provisioner.overlay.memo import stamp
from provisioner.overlay.rendered import OverlayKind

LONGEST = 200
"""How many lines of one file's difference are kept."""

_CONTEXT_LINES = 1
# Public by their nature, however closed.
_PUBLIC = (".pub", "/authorized_keys")
# Permission bits of everybody but the owner.
_OTHERS = 0o077

Tree = Mapping[str, Entry]


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that becomes another one, and the lines of the difference.

    `is_own` tells that what made it read the node; all other nodes that have it see the very same lines.
    """

    path: str
    lines: tuple[str, ...]
    is_own: bool = True


class FileChanges:
    """Compares the overlays of nodes on two sides. `secrets` are texts that no difference may show."""

    def __init__(self, before: Side, after: Side, secrets: Iterable[str] = ()) -> None:
        self._before = before
        self._after = after
        # A secret may be the beginning of another one.
        self._secrets = sorted(secrets, key=len, reverse=True)
        self._same_site = before.snapshot.site == after.snapshot.site
        self._common: dict[object, tuple[FileChange, ...]] = {}
        self._reads_of: dict[object, Fields] = {}
        self._difference = lru_cache(maxsize=4096)(self._compare)

    def of(self, kind: OverlayKind, old: ResolvedNode, new: ResolvedNode) -> tuple[FileChange, ...]:
        """What changes in one node that was `old` and will be `new`; the same object where it stays as it was."""
        pair = _Pair(self._before, self._after, old, new, kind)
        # What templates see of such a node besides these is what they saw before.
        key = (kind.names(old), *pair.heads, *pair.images) if self._same_site and self._is_alike(pair) else None
        known = self._common.get(key) if key else None
        if known is not None:
            return known
        try:
            before, after, is_common = self._trees(pair)
        except ProvisionerError:
            return self._failures(pair)
        changes = self._between(before, after, pair.readers())
        if key and is_common:
            self._common[key] = changes
        return changes

    def _is_alike(self, pair: _Pair) -> bool:
        """Whether what differs in a node is nothing that templates of its overlays read."""
        if pair.old is pair.new:
            return True
        fields = differing(pair.old, pair.new)
        return fields <= BYSTANDERS and fields.isdisjoint(self._read_of(pair))

    def _read_of(self, pair: _Pair) -> Fields:
        key = (pair.names[0], *pair.images)
        if key not in self._reads_of:
            try:
                self._reads_of[key] = read_by_pieces(piece for row in pair.rows() for piece in row)
            except ProvisionerError:
                self._reads_of[key] = BYSTANDERS
        return self._reads_of[key]

    def _trees(self, pair: _Pair) -> tuple[Tree, Tree, bool]:
        """What may differ on both sides, and whether it is the same for every unchanged node of this class."""
        rows = pair.rows()
        if pair.names[0] != pair.names[1] or len(rows[0]) != len(rows[1]):
            return *pair.whole(), False
        places = [place for place, pieces in enumerate(zip(*rows, strict=True)) if pair.differ(*pieces)]
        differing = [[row[place] for place in places] for row in rows]
        before, after = pair.made(*differing)
        rest = (piece for place, piece in enumerate(rows[0]) if place not in set(places))
        paths = before.keys() | after.keys()
        if any(piece.may_make(path) for piece in rest for path in paths) or pair.declares_otherwise(before, after):
            # Which of the pieces wins, and what is declared of it, is for the whole tree to say.
            return *pair.whole(), False
        return before, after, not any(map(_reads_the_node, (*differing[0], *differing[1])))

    def _between(self, before: Tree, after: Tree, readers: Sequence[Piece]) -> tuple[FileChange, ...]:
        changed = [path for path in sorted(before.keys() | after.keys()) if before.get(path) != after.get(path)]
        own = {path for path in changed if path == MANIFEST or any(piece.may_make(path) for piece in readers)}
        return tuple(self._difference(before.get(path), after.get(path), is_own=path in own) for path in changed)

    def _failures(self, pair: _Pair) -> tuple[FileChange, ...]:
        """Compare where one side, or both, cannot be rendered."""
        told = _outcome(self._before, pair.old, pair.kind), _outcome(self._after, pair.new, pair.kind)
        lines = tuple(f"{sign}{text}" for sign, text in zip("-+", told, strict=True))
        return (FileChange(f"({pair.kind} overlay)", lines),) if told[0] != told[1] else ()

    def _compare(self, old: Entry | None, new: Entry | None, *, is_own: bool) -> FileChange:
        path = old.path if old else new.path if new else ""
        if path == MANIFEST:
            return FileChange(path, tuple(_declarations(old, new)), is_own)
        return FileChange(path, (*_attributes(old, new), *self._contents(old, new)), is_own)

    def _contents(self, old: Entry | None, new: Entry | None) -> Iterator[str]:
        before, after = old.content if old else b"", new.content if new else b""
        # Where a link leads is told already, and what was in a file that goes is of no use any more.
        if before == after or new is None or new.kind is Kind.SYMLINK:
            return
        digests = f"sha256 {_digest(before)} -> {_digest(after)}"
        if any(each is not None and is_secret(each) for each in (old, new)):
            yield f"secret, changed ({digests})"
            return
        try:
            lines = _lines(before.decode(), after.decode())
        except UnicodeDecodeError:
            yield f"{len(before)} -> {len(after)} bytes ({digests})"
            return
        shown = [self._without_secrets(line) for line in lines]
        yield from shown
        if shown != lines:
            yield f"a secret in it is not shown ({digests})"

    def _without_secrets(self, line: str) -> str:
        for secret in self._secrets:
            line = line.replace(secret, HIDDEN)
        return line


@dataclass(frozen=True, slots=True)
class _Pair:
    """One node on both sides, and which of its overlays are looked at."""

    before: Side
    after: Side
    old: ResolvedNode
    new: ResolvedNode
    kind: OverlayKind

    @property
    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The overlays that it lists."""
        return self.kind.names(self.old), self.kind.names(self.new)

    @property
    def contexts(self) -> tuple[Context, Context]:
        """What templates see of it."""
        before, after = self.before.surroundings.context(self.old), self.after.surroundings.context(self.new)
        return self.kind.view(before), self.kind.view(after)

    @property
    def heads(self) -> tuple[Head, Head]:
        """The head node as it sees it."""
        return self.before.surroundings.head(self.old), self.after.surroundings.head(self.new)

    @property
    def images(self) -> tuple[object, object]:
        """Stamps of the images that it boots."""
        images = self.before.surroundings.includes.image_of, self.after.surroundings.includes.image_of
        return images[0](self.old.image).stamp, images[1](self.new.image).stamp

    def differ(self, old: Piece, new: Piece) -> bool:
        """Whether two pieces in one place may make something else."""
        if old.template is None or new.template is None:
            return (old.entry, old.template) != (new.entry, new.template)
        if old.template.digest != new.template.digest:
            return True
        before, after = self.contexts
        return any(
            stamp(before, read) != stamp(after, read)
            for read in old.template.inputs.reads
            if self.old is not self.new or read[0] != "node"
        )

    def made(self, old: list[Piece], new: list[Piece]) -> tuple[Tree, Tree]:
        """What some pieces make on each side."""
        before, after = self.contexts
        return (
            {entry.path: entry for piece in old for entry in self.before.library.files(piece, before)},
            {entry.path: entry for piece in new for entry in self.after.library.files(piece, after)},
        )

    def readers(self) -> list[Piece]:
        """What reads the node, on either side."""
        return [piece for row in self.rows() for piece in row if _reads_the_node(piece)]

    def rows(self) -> tuple[list[Piece], list[Piece]]:
        """All pieces of each side, in their order."""
        contexts = self.contexts
        return (
            self.before.library.pieces(self.names[0], contexts[0]),
            self.after.library.pieces(self.names[1], contexts[1]),
        )

    def declares_otherwise(self, before: Tree, after: Tree) -> bool:
        """Whether what no file of the tree carries may differ; the trees are what is known to differ."""
        contexts = self.contexts
        old = [beside(each) for each in self.before.library.overlays(self.names[0], contexts[0])]
        new = [beside(each) for each in self.after.library.overlays(self.names[1], contexts[1])]
        return old != new or (any(new) and _kinds(before) != _kinds(after))

    def whole(self) -> tuple[Tree, Tree]:
        """All files of both sides."""
        before, after = self.before.tree(self.old, self.kind), self.after.tree(self.new, self.kind)
        return {entry.path: entry for entry in before}, {entry.path: entry for entry in after}


def is_secret(entry: Entry) -> bool:
    """Whether a file is for its owner alone, or holds a private key."""
    closed = entry.kind is Kind.FILE and not entry.mode & _OTHERS and not entry.path.endswith(_PUBLIC)
    return closed or b"PRIVATE KEY-----" in entry.content


def _kinds(tree: Tree) -> Mapping[str, Kind]:
    return {path: entry.kind for path, entry in tree.items()}


def _declarations(old: Entry | None, new: Entry | None) -> Iterator[str]:
    """What is declared otherwise, in words."""
    before, after = (in_words(entry.content) if entry else [] for entry in (old, new))
    yield from (f"-{line}" for line in before if line not in after)
    yield from (f"+{line}" for line in after if line not in before)


def _reads_the_node(piece: Piece) -> bool:
    return piece.template is not None and any(read[0] not in SHARED for read in piece.template.inputs.reads)


def _outcome(side: Side, node: ResolvedNode, kind: OverlayKind) -> str:
    try:
        side.tree(node, kind)
    except ProvisionerError as error:
        return f"cannot be rendered: {error.message}"
    return "can be rendered"


def _attributes(old: Entry | None, new: Entry | None) -> Iterator[str]:
    before, after = _told(old), _told(new)
    if before != after:
        yield from (f"{sign}{text}" for sign, text in (("-", before), ("+", after)) if text)


def _told(entry: Entry | None) -> str:
    if entry is None:
        return ""
    if entry.kind is Kind.SYMLINK:
        return f"symlink -> {entry.content.decode(errors='replace')}"
    owner = f" owner {entry.uid}:{entry.gid}" if (entry.uid, entry.gid) != (0, 0) else ""
    return f"{entry.kind.name.lower()} {entry.mode:04o}{owner}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12] if content else "nothing"


def _lines(before: str, after: str) -> list[str]:
    """The lines of a unified difference, without its head; of a long one the beginning."""
    old, new = before.splitlines(), after.splitlines()
    # What both begin and end with is most of a long file, and cheap to leave out.
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
    start = max(0, same - _CONTEXT_LINES)
    rest = zip(reversed(old[same:]), reversed(new[same:]), strict=False)
    tail = max(0, sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], rest)) - _CONTEXT_LINES)
    parts = old[start : len(old) - tail], new[start : len(new) - tail]
    lines = list(difflib.unified_diff(*parts, lineterm="", n=_CONTEXT_LINES))[2:]
    shown = [line for line in lines if not line.startswith("@@")]
    if len(shown) <= LONGEST:
        return shown or ["(only the end of the last line differs)"]
    rest_digest = _digest("\n".join(shown[LONGEST:]).encode())
    return [*shown[:LONGEST], f"... {len(shown) - LONGEST} more lines ({rest_digest})"]
