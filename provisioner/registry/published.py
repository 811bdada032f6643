"""A published snapshot, read row by row.

Commands open one with every start, so nothing here imports what makes models or reads YAML before it is needed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from provisioner.config.paths import Paths
from provisioner.errors import IntegrityError, NotFoundError, Problem
from provisioner.registry.revision import short
from provisioner.registry.schema import VERSION, snapshot_path

if TYPE_CHECKING:
    from provisioner.model.resolved import ResolvedNode
    from provisioner.model.snapshot import Snapshot
    from provisioner.model.written import Site

_PAGE_SIZE = slice(16, 18)
_PAGE_COUNT = slice(28, 32)
_HEADER = 100
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class GroupRow(NamedTuple):
    """A group: where it is written, the groups and the image that it names, and how many nodes are in it."""

    name: str
    file: str
    line: int
    groups: tuple[str, ...]
    image: str | None
    nodes: int


class Published:
    """The compiled result of one revision, right or with problems."""

    def __init__(self, database: sqlite3.Connection, place: Path) -> None:
        self.database = database
        self._place = place

    @classmethod
    def open(cls, paths: Paths, revision: str) -> Published:
        """The snapshot of the revision with this full name.

        Raises NotFoundError when it is not published, or by another version of the product, and IntegrityError
        when its file is damaged.
        """
        place = snapshot_path(paths, revision)
        if not _is_whole(place, revision):
            raise _damaged(place, "the file is not complete")
        try:
            # Immutable: the file is never written again, so no lock and no journal is looked for.
            database = sqlite3.connect(_uri(place), uri=True)
        except sqlite3.Error as error:
            raise _damaged(place, str(error)) from None
        published = cls(database, place)
        try:
            published._verify(revision)
        except BaseException:
            published.close()
            raise
        return published

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back; nothing can be read afterwards."""
        self.database.close()

    @property
    def revision(self) -> str:
        """The full name of the revision."""
        return self.meta["revision"]

    @property
    def usable(self) -> bool:
        """Whether provisioner.yaml could be used; without it nothing is resolved."""
        return bool(self.meta["site"])

    @cached_property
    def meta(self) -> Mapping[str, str]:
        """What is said of the snapshot as a whole."""
        return dict(self.rows("SELECT key, value FROM meta"))

    def names(self) -> tuple[str, ...]:
        """The names of all nodes, sorted."""
        return tuple(name for (name,) in self.rows("SELECT name FROM node ORDER BY name"))

    def records(self, names: Iterable[str] | None = None) -> Iterator[dict[str, Any]]:
        """Plain data of nodes, sorted by name: as `model_dump(mode="json")`, without provenance.

        Without `names` of all nodes; names that do not exist are left out. Secrets are in it
        (`model.secret.redacted`).
        """
        fields, blank = json.loads(self.meta["fields"]), json.loads(self.meta["blank"])
        shared = {key: {**blank["node"], **json.loads(text)} for key, text, _ in self._shared(names)}
        for _, key, text in self._own(names):
            record = {**shared[key], **json.loads(text)}
            record["interfaces"] = [{**blank["interface"], **each} for each in record["interfaces"]]
            yield {field: record[field] for field in fields}

    def node(self, name: str) -> ResolvedNode | None:
        """One node as services see it, or None; of its provenance it has what services need."""
        return self.nodes([name]).get(name)

    def nodes(self, names: Iterable[str] | None = None) -> dict[str, ResolvedNode]:
        """Nodes by name, of all nodes without `names`; names that do not exist are left out."""
        from provisioner.registry.rows import Revival  # noqa: PLC0415 - models import slowly

        wanted = None if names is None else list(names)
        revival = Revival(self._shared(wanted))
        return {name: revival.node(key, own) for name, key, own in self._own(wanted)}

    def site(self) -> Site | None:
        """What provisioner.yaml says, or None where it cannot be used."""
        from provisioner.model.written import Site  # noqa: PLC0415 - as above

        return Site.model_validate_json(self.meta["site"]) if self.usable else None

    def snapshot(self) -> Snapshot:
        """Everything, indexed as services need it. IntegrityError where provisioner.yaml cannot be used."""
        from provisioner.model.snapshot import Snapshot  # noqa: PLC0415 - as above

        site = self.site()
        if site is None:
            message = f"revision {short(self.revision)} cannot be served: its provisioner.yaml cannot be used"
            raise IntegrityError(message, hint="prov check")
        return Snapshot.build(self.revision, site, self.nodes().values())

    def changes_since(self, other: Published) -> dict[str, ResolvedNode | None]:
        """The nodes that are others than in another published snapshot; None for one that is gone."""
        self.rows("ATTACH DATABASE ? AS other", (_uri(other._place),))
        try:
            gone = self.rows("SELECT name FROM other.node WHERE name NOT IN (SELECT name FROM main.node)")
            # The key of a shared part is the hash of its content: it is equal in both when the content is.
            changed = self.rows(
                "SELECT a.name FROM main.node AS a LEFT JOIN other.node AS b ON a.name = b.name "
                "WHERE a.shared IS NOT b.shared OR a.own IS NOT b.own"
            )
            return {**dict.fromkeys(name for (name,) in gone), **self.nodes([name for (name,) in changed])}
        finally:
            self.rows("DETACH DATABASE other")

    def members(self, group: str) -> tuple[str, ...]:
        """The nodes in a group, sorted, those that inherit it included; LookupError without such a group."""
        if not self.rows("SELECT 1 FROM group_entry WHERE name = ?", (group,)):
            raise LookupError(f"there is no group {group}")
        query = (
            "SELECT node.name FROM shared_group AS g JOIN node USING (shared) WHERE g.name = ? ORDER BY node.name"
        )
        return tuple(name for (name,) in self.rows(query, (group,)))

    def tagged(self, key: str, value: str) -> tuple[str, ...]:
        """The nodes with a value of a tag, sorted."""
        query = "SELECT node.name FROM shared_tag JOIN node USING (shared) WHERE key = ? AND value = ? ORDER BY 1"
        return tuple(name for (name,) in self.rows(query, (key, value)))

    def groups(self) -> tuple[GroupRow, ...]:
        """All groups, sorted by name."""
        query = """
            SELECT name, file, line, groups, image, COALESCE(count, 0) FROM group_entry LEFT JOIN (
              SELECT shared_group.name, COUNT(*) AS count FROM shared_group JOIN node USING (shared)
              GROUP BY shared_group.name) USING (name) ORDER BY name"""
        return tuple(
            GroupRow(name, file, line, tuple(json.loads(groups)), image, count)
            for name, file, line, groups, image, count in self.rows(query)
        )

    def problems(self) -> tuple[Problem, ...]:
        """Everything that is wrong with the files by themselves, sorted; images are looked at elsewhere."""
        rows = self.rows('SELECT file, line, "column", message, hint FROM problem')
        return tuple(sorted(Problem(*row) for row in rows))

    def image_uses(self) -> list[tuple[Any, ...]]:
        """Every place that names an image: reference, file, line and column."""
        return self.rows('SELECT reference, file, line, "column" FROM image_use')

    def streamed_images(self) -> list[tuple[str, str, int, int]]:
        """The images that nodes are to stream: reference, and file, line and column that name it."""
        rows = self.rows(
            "SELECT json_extract(json, '$.image'), json_extract(provenance, '$.image[#-1]') FROM shared "
            "WHERE json_extract(json, '$.root.kind') = 'stream' AND json_extract(json, '$.image') IS NOT NULL"
        )
        places = ((reference, json.loads(place)) for reference, place in rows)
        return sorted({(reference, file, line, column) for reference, (file, line, _, column) in places})

    def files_of(self, names: Iterable[str]) -> tuple[str, ...]:
        """The files of nodes and switches with an entry for one of some nodes, the weakest first."""
        query = "SELECT DISTINCT file FROM member WHERE node IN (SELECT value FROM json_each(?))"
        return tuple(sorted((file for (file,) in self.rows(query, (_listed(names),))), key=str.encode))

    def written_names(self) -> frozenset[str]:
        """The nodes that some entry of a node file names, resolved or not."""
        query = "SELECT DISTINCT node FROM member WHERE file LIKE 'nodes.d/%'"
        return frozenset(name for (name,) in self.rows(query))

    def rows(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query; IntegrityError when the file turns out to be damaged."""
        try:
            return self.database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise _damaged(self._place, str(error)) from None

    def _own(self, names: Iterable[str] | None) -> list[tuple[Any, ...]]:
        if names is None:
            return self.rows("SELECT name, shared, own FROM node ORDER BY name")
        query = "SELECT name, shared, own FROM node WHERE name IN (SELECT value FROM json_each(?)) ORDER BY name"
        return self.rows(query, (_listed(names),))

    def _shared(self, names: Iterable[str] | None) -> list[tuple[Any, ...]]:
        if names is None:
            return self.rows("SELECT id, json, provenance FROM shared")
        query = """
            SELECT DISTINCT id, json, provenance FROM shared JOIN node ON shared.id = node.shared
            WHERE node.name IN (SELECT value FROM json_each(?))"""
        return self.rows(query, (_listed(names),))

    def _verify(self, revision: str) -> None:
        """Raise unless this is the snapshot of a revision, of this version, and as it was written."""
        if self.meta.get("version") != VERSION or self.meta.get("revision") != revision:
            raise _unpublished(revision)
        if self.meta.get("boot") != boot_id() and self.rows("PRAGMA quick_check") != [("ok",)]:
            raise _damaged(self._place, "pages of it are missing")


def boot_id() -> str:
    """A text that is another one after every start of this machine; empty where the kernel does not tell."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def _is_whole(place: Path, revision: str) -> bool:
    """Whether a file is as long as its header says. NotFoundError when there is none."""
    # SQLite does not tell missing rights from a missing file; the system does.
    try:
        with closing(place.open("rb")) as stream:
            header = stream.read(_HEADER)
            length = stream.seek(0, 2)
    except FileNotFoundError:
        raise _unpublished(revision) from None
    page = int.from_bytes(header[_PAGE_SIZE], "big")
    # SQLite writes 1 for pages of 65,536 bytes (file format, section 1.3.2).
    return length > 0 and length == (65536 if page == 1 else page) * int.from_bytes(header[_PAGE_COUNT], "big")


def _uri(place: Path) -> str:
    return f"{place.absolute().as_uri()}?immutable=1"


def _listed(names: Iterable[str]) -> str:
    return json.dumps(list(names))


def _damaged(place: Path, reason: str) -> IntegrityError:
    hint = f"rm {place}; it is compiled again when it is needed: prov check"
    return IntegrityError(f"the compiled snapshot {place} is damaged: {reason}", hint=hint)


def _unpublished(revision: str) -> NotFoundError:
    hint = "the daemon publishes what is written when it starts: prov serve"
    return NotFoundError(f"revision {short(revision)} is not published", hint=hint)
