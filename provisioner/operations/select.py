"""Which nodes a command is about: a node set, in which groups may stand, narrowed by filters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

from provisioner.config.paths import Paths
from provisioner.errors import IntegrityError, NotFoundError, ProvisionerError
from provisioner.model.nodeset import Members, NodesetError, expand, fold
from provisioner.operations.record import ROOTS, shown
from provisioner.registry.published import Published

_NODESET_HINT = "a node set looks like n[001-004,010], @compute or @rack:r1!n003"
_FILTER_HINT = "a filter looks like image=rocky-9, tags.rack~r? or !interfaces.eth0.mac"


def select(published: Published, text: str | None, where: Sequence[str] = ()) -> tuple[str, ...]:
    """The nodes of a set that pass every filter; all nodes without a set.

    Raises ProvisionerError, with a pointer to the character, for what is no node set or no filter, and
    NotFoundError for a node or group that does not exist and when no node is left.
    """
    names = published.names() if text is None else _existing(published, named(text, members_of(published)))
    chosen = _filtered(published, names, where) if where else names
    if not chosen:
        raise NotFoundError(_emptiness(text, where), hint="prov node list")
    return chosen


def named(text: str, members: Members | None = None) -> tuple[str, ...]:
    """The names that a node set stands for, whether such nodes exist or not; without `members` groups are refused.

    Raises ProvisionerError with a pointer to the character.
    """
    try:
        return expand(text, members)
    except NodesetError as error:
        raise ProvisionerError(f"wrong node set: {error.pointed()}", hint=_NODESET_HINT) from None


def members_of(published: Published) -> Members:
    """Answers which nodes are in a group (`@compute`) or have a tag (`@rack:r1`, `@rack:*`), or are there."""

    def members(source: str, name: str) -> Iterable[str]:
        if not source:
            return published.names() if name == "*" else published.members(name)
        found = _tagged(published, source) if name == "*" else published.tagged(source, name)
        if not found:
            raise LookupError(f"no node has the tag {source}" + ("" if name == "*" else f"={name}"))
        return found

    return members


def newest(paths: Paths) -> Published | None:
    """The snapshot that was published last, which may be older than what is written now; None without any."""
    places = sorted(paths.snapshots.glob("*.sqlite"), key=lambda place: place.stat().st_mtime, reverse=True)
    for place in places:
        with suppress(NotFoundError, IntegrityError):
            return Published.open(paths, place.stem)
    return None


def _tagged(published: Published, key: str) -> tuple[str, ...]:
    query = "SELECT node.name FROM shared_tag JOIN node USING (shared) WHERE key = ? ORDER BY 1"
    return tuple(name for (name,) in published.rows(query, (key,)))


def _existing(published: Published, names: tuple[str, ...]) -> tuple[str, ...]:
    # A node counts as written even where provisioner.yaml is broken and nothing can be resolved.
    missing = set(names).difference(published.written_names())
    if missing:
        message = f"there is no node {fold(missing)}{elsewhere(published)}"
        raise NotFoundError(message, hint="prov node list")
    return names


def elsewhere(published: Published) -> str:
    """Why something may not be found though it is written: the end of a sentence about problems, or nothing."""
    count = len(published.problems())
    what = "1 problem" if count == 1 else f"{count} problems"
    return f"; the site has {what}, see prov check" if count else ""


def _filtered(published: Published, names: tuple[str, ...], where: Sequence[str]) -> tuple[str, ...]:
    # Filters compare addresses in every spelling, which needs the models; most commands do without.
    from provisioner.model.nodefilter import FilterError, parse_all  # noqa: PLC0415 - see above

    try:
        wanted = parse_all(where, ROOTS)
    except FilterError as error:
        raise ProvisionerError(f"wrong filter: {error.pointed()}", hint=_FILTER_HINT) from None
    passed = {record["name"] for record in map(shown, published.records(names)) if wanted.matches(record)}
    return tuple(name for name in names if name in passed)


def _emptiness(text: str | None, where: Sequence[str]) -> str:
    if where:
        return f"no node {'of ' + text + ' ' if text else ''}passes {' and '.join(where)}"
    return "the site has no nodes"
