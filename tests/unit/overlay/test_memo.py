"""Rendered files that are shared: always what a render of one's own would give, and rendered once."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.archive.tree import Entry, Kind
from provisioner.config.paths import Paths
from provisioner.model.resolved import ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.overlay.context import SHARED, Identity, Surroundings
from provisioner.overlay.library import Library
from provisioner.overlay.memo import RenderMemo, stamp
from provisioner.overlay.rendered import render_tree
from provisioner.overlay.source import WrittenFiles, overlay_names
from provisioner.registry.collect import collect
from provisioner.render.environment import Renderer, RenderError
from provisioner.trust.sitekey import SiteKey
from tests.support import resolved
from tests.support.anysite import SOURCES, snapshots, written

IDENTITY = Identity(SiteKey(b"k" * 32))
PLAIN = Renderer()


@lru_cache(maxsize=1)
def shipped() -> WrittenFiles:
    return WrittenFiles(collect(Paths.below(Path("/nonexistent"))))


def rendered(library: Library, name: str, surroundings: Surroundings, node: ResolvedNode) -> list[Entry] | str:
    try:
        return library.tree([name], surroundings.context(node))
    except RenderError as error:
        return str(error)


def alone(files: WrittenFiles, name: str, snapshot: Snapshot, node: ResolvedNode) -> list[Entry] | str:
    try:
        return render_tree(files, [name], Surroundings(snapshot, IDENTITY).context(node), PLAIN)
    except RenderError as error:
        return str(error)


@settings(max_examples=15, deadline=None)
@given(st.lists(snapshots(), min_size=1, max_size=2))
def test_what_is_shared_is_what_each_node_would_get_alone(sites: list[Snapshot]) -> None:
    files = written(**{f"t{number}": source for number, source in enumerate(SOURCES)})
    library = Library(files, RenderMemo(Renderer()))

    for snapshot in sites:
        surroundings = Surroundings(snapshot, IDENTITY)
        for node in snapshot.nodes.values():
            for name in overlay_names(files):
                assert rendered(library, name, surroundings, node) == alone(files, name, snapshot, node)


@settings(max_examples=6, deadline=None)
@given(snapshots())
def test_the_shipped_overlays_are_shared_rightly_too(snapshot: Snapshot) -> None:
    library = Library(shipped(), RenderMemo(Renderer()))
    surroundings = Surroundings(snapshot, IDENTITY)

    for node in snapshot.nodes.values():
        for name in overlay_names(shipped()):
            assert rendered(library, name, surroundings, node) == alone(shipped(), name, snapshot, node)


class Counting(Renderer):
    """Counts what is really rendered."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def files(self, *arguments: Any) -> dict[str, str]:
        self.count += 1
        return super().files(*arguments)


def renders(source: str, snapshot: Snapshot, *, limit: int = 1 << 20) -> int:
    """How often a template is rendered when each of the nodes asks twice."""
    renderer = Counting()
    library = Library(written(x=source), RenderMemo(renderer, limit=limit))
    surroundings = Surroundings(snapshot, IDENTITY)
    for node in (*snapshot.nodes.values(), *snapshot.nodes.values()):
        rendered(library, "x", surroundings, node)
    return renderer.count


def three() -> Snapshot:
    others = (resolved.node(f"n00{n}", mac=None, host=n, domain="b.local") for n in (2, 3))
    return resolved.snapshot(resolved.node("n001", domain="a.local"), *others)


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("{% for n in nodes %}{{ n.name }}{% endfor %}{{ head.address }}", 1),
        ("{{ cluster }}", 1),
        ("{{ node.domain }}", 2),
        ("{{ node.tags.rack }}", 1),
        ("{{ node.name }}", 6),
        ("{{ ssh.host_public_key }}", 6),
        ("{{ node }}", 6),
        ("{{ node.nothing.at_all }}", 3),
        ("{{ cluster.nothing.at_all }}", 1),
        ("{{ head.nothing }}", 1),
        ("{{ links | length }}", 6),
    ],
)
def test_a_template_is_rendered_as_often_as_its_inputs_differ(source: str, count: int) -> None:
    assert renders(source, three()) == count


def test_beyond_its_limit_the_oldest_files_are_forgotten() -> None:
    assert renders("{{ node.domain }}", three(), limit=1) > renders("{{ node.domain }}", three())


def test_a_failure_is_told_again_to_every_node_with_the_same_words() -> None:
    library = Library(written(x="{{ cluster.nothing }}"), RenderMemo(Renderer()))
    surroundings = Surroundings(three(), IDENTITY)

    told = {rendered(library, "x", surroundings, node).__str__() for node in three().nodes.values()}

    assert len(told) == 1
    assert "overlays/x/rootfs/etc/x.j2:1:" in told.pop()


class Interrupted(Renderer):
    """Is cut off from outside, as by the alarm of a worker, and then never again."""

    def __init__(self) -> None:
        super().__init__()
        self.cut = False

    def files(self, *arguments: Any) -> dict[str, str]:
        if not self.cut:
            self.cut = True
            raise RenderError("the system overlay of n001 took more than 10 s of processor time to render")
        return super().files(*arguments)


def test_that_one_node_ran_out_of_time_is_not_held_against_the_template() -> None:
    library = Library(written(x="{{ cluster }}"), RenderMemo(Interrupted()))
    surroundings = Surroundings(three(), IDENTITY)

    first, second = (rendered(library, "x", surroundings, node) for node in list(three().nodes.values())[:2])

    assert "took more than" in str(first)
    assert second == [Entry("etc/x", Kind.FILE, b"demo")]


def test_a_template_that_has_a_limit_of_its_own_and_passes_it_has_failed_for_all() -> None:
    asked: list[str] = []

    @contextmanager
    def bound(label: str) -> Iterator[None]:
        asked.append(label)
        yield
        raise RenderError(f"{label}: too long")

    library = Library(written(x="{{ cluster }}"), RenderMemo(Renderer(), bound=bound))
    surroundings = Surroundings(three(), IDENTITY)

    told = [rendered(library, "x", surroundings, node) for node in three().nodes.values()]

    assert told == ["overlays/x/rootfs/etc/x.j2: too long"] * 3
    assert asked == ["overlays/x/rootfs/etc/x.j2"]


def test_values_that_print_differently_are_not_taken_for_the_same() -> None:
    stamps = [stamp({"x": value}, ("x",)) for value in (1, True, 1.0, "1", (1,), [1], {"a": 1}, {"a": True}, None)]

    assert len(set(stamps)) == len(stamps)


def behind(start: object) -> Iterator[object]:
    """Everything that an object keeps alive, but for what the program itself consists of."""
    seen: set[int] = set()
    waiting = [start]
    while waiting:
        found = waiting.pop()
        if id(found) not in seen and not isinstance(found, type | ModuleType | FunctionType | CodeType):
            seen.add(id(found))
            waiting += gc.get_referents(found)
            yield found


def remembered(memo: RenderMemo) -> list[weakref.ref[Snapshot]]:
    """Fill a memory with the files of six revisions; the snapshots that they were rendered from."""
    files = WrittenFiles(
        {
            **shipped().files,
            **written(**{f"t{number}": source for number, source in enumerate(SOURCES)}).files,
            **written(**{f"w{name}": f"{{{{ {name} }}}}" for name in SHARED}).files,
        }
    )
    snapshots = []
    for number in range(1, 7):
        snapshot = resolved.snapshot(resolved.node(f"n00{number}", mac=None, host=number))
        surroundings = Surroundings(snapshot, IDENTITY)
        library = Library(files, memo)
        for node in snapshot.nodes.values():
            for name in overlay_names(files):
                rendered(library, name, surroundings, node)
        snapshots.append(weakref.ref(snapshot))
    return snapshots


def test_what_is_remembered_leads_to_no_snapshot_and_no_node() -> None:
    memo = RenderMemo(Renderer())
    remembered(memo)

    found = {type(each).__name__ for each in behind(memo)}

    assert "Entry" in found
    assert not found & {"Snapshot", "ResolvedNode", "Surroundings", "HostTrust", "AllNodes", "frame", "traceback"}


def test_a_snapshot_is_given_back_when_nobody_else_needs_it_any_more() -> None:
    memo = RenderMemo(Renderer())

    snapshots = remembered(memo)
    gc.collect()

    assert [each() for each in snapshots] == [None] * 6
