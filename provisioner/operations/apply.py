"""Documents that say what is to become of a site, as one change: all of it or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

from provisioner.config.marked import MarkedList, MarkedMap, Scalar, Value, parse
from provisioner.errors import ConfigError, Problem, ProvisionerError
from provisioner.model.nodeset import Members
from provisioner.operations.change import Plan, Texts
from provisioner.operations.select import members_of, named
from provisioner.operations.switches import demand_unheld
from provisioner.registry.applied import apply_documents
from provisioner.registry.view import SiteView

Documents = Sequence[tuple[str, str]]


def documents(texts: Documents, *, only: str = "") -> Plan:
    """What some documents say, by the label that names each in messages; in the order of `apply_documents`.

    Node sets in them may name groups: that is who is in them now, under the names that the documents give them and
    without those that the documents delete. With `only` (`nodes` or `groups`) they may say nothing else. Raises
    ConfigError for what else they say then; the plan raises ConfigError with the mistakes of all documents, and
    ConflictError where nodes of a switch would lose their names.
    """
    if only:
        _demand_only(texts, only)

    def plan(view: SiteView) -> Texts:
        members = members_of(view.published)
        found = apply_documents(view, texts, _expander(texts, members))
        demand_unheld(view, _leaving(texts, members))
        return found

    return plan


def _expander(texts: Documents, members: Members) -> Callable[[str], tuple[str, ...]]:
    """Reads node sets at their time: nodes are renamed first, then deleted, and then all else happens."""
    renames = dict(_pairs(_below(texts, "rename")))
    deleted = set(_items(_below(texts, "delete")))
    new = {
        old: name
        for keys, values in renames.items()
        for old, name in zip(_read(keys), _read(values), strict=False)
    }

    def renamed(source: str, name: str) -> Iterable[str]:
        return [new.get(each, each) for each in members(source, name)]

    gone = {name for text in deleted for name in _read(text, renamed)}

    def left(source: str, name: str) -> Iterable[str]:
        return [each for each in renamed(source, name) if each not in gone]

    return lambda text: named(text, members if text in renames else renamed if text in deleted else left)


def _leaving(texts: Documents, members: Members) -> set[str]:
    """The nodes, by their names of now, that the documents rename or delete."""
    sets = (*(old for old, _ in _pairs(_below(texts, "rename"))), *_items(_below(texts, "delete")))
    return {name for text in sets for name in _read(text, members)}


def _read(text: str, members: Members | None = None) -> tuple[str, ...]:
    # What is no node set is told where the documents are read, with its place.
    with suppress(ProvisionerError):
        return named(text, members)
    return ()


def _below(texts: Documents, section: str) -> Iterator[Value]:
    """What stands below `SECTION: {nodes: ...}` in documents."""
    for label, text in texts:
        found: Value | None = parse(label, text).root
        for step in (section, "nodes"):
            pair = found.find(step) if isinstance(found, MarkedMap) else None
            found = pair.value if pair else None
        if found is not None:
            yield found


def _pairs(values: Iterable[Value]) -> Iterator[tuple[str, str]]:
    for value in values:
        for pair in value.pairs if isinstance(value, MarkedMap) else ():
            if isinstance(pair.value, Scalar):
                yield pair.key.text or "", pair.value.text or ""


def _items(values: Iterable[Value]) -> Iterator[str]:
    for value in values:
        for item in value.items if isinstance(value, MarkedList) else ():
            if isinstance(item, Scalar):
                yield item.text or ""


def _demand_only(texts: Documents, section: str) -> None:
    problems = []
    for label, text in texts:
        root = parse(label, text).root
        for pair in root.pairs if isinstance(root, MarkedMap) else ():
            if pair.key.text != section:
                message = f"{pair.key.text!r} is not for this command, which takes {section} only"
                problems.append(
                    Problem(label, pair.key.span.line, pair.key.span.column, message, "prov apply FILE")
                )
    if problems:
        raise ConfigError(problems)
