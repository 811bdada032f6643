"""Overlays: processor time to render all nodes of a site, and what boot plans and rehearsals of them cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from provisioner.config.paths import Paths
from provisioner.image.store import catalogue
from provisioner.model.snapshot import Snapshot
from provisioner.operations.bootplan import BootPlan, boot_plan
from provisioner.operations.breakage import Images, Side, broken_by
from provisioner.operations.change import Texts, draft
from provisioner.operations.simulate import simulate
from provisioner.operations.strict import render_problems
from provisioner.overlay.context import Identity, Surroundings
from provisioner.overlay.library import Library
from provisioner.overlay.memo import RenderMemo
from provisioner.overlay.rendered import pack
from provisioner.overlay.source import WrittenFiles
from provisioner.registry.collect import collect
from provisioner.registry.compiler import current
from provisioner.registry.view import SiteView
from provisioner.render.environment import Renderer
from provisioner.trust.sitekey import SiteKey
from tests.bench.make_site import mac_of, make_site
from tests.support.daemon import add_generation

pytestmark = [pytest.mark.long]

SITES = (100, 1_000, 10_000)
OWN = ("hostname", "network", "agent")
WITH_KEYS = (*OWN, "ssh")

# What is edited: a name for the table, the file, the text in it and the new one.
EDITS = (
    ("MAC of one node", "nodes.d/rack001.yaml", str(mac_of(1)), "02:00:00:00:00:99"),
    ("address of one node", "nodes.d/rack001.yaml", f'"{mac_of(1)}"', f'"{mac_of(1)}", ip: 10.66.250.9'),
    ("tag of all nodes", "groups.d/base.yaml", "site: north", "site: south"),
    ("kernel argument of all", "groups.d/base.yaml", "console=tty0", "console=tty1"),
    ("overlay of all", "groups.d/base.yaml", "{runtime: [hosts]}", "{runtime: [hosts], system: [~agent]}"),
    (
        "gateway of the network",
        "provisioner.yaml",
        "domain: bench.local",
        "domain: bench.local, gateway: 10.66.251.9",
    ),
)


def test_all_nodes_of_sites_of_these_sizes_cost_so_much(tmp_path: Path) -> None:
    print("\nOverlays of all nodes rendered and packed, one core, seconds (milliseconds a node):")
    print(f"  {'nodes':>6}{'own files':>22}{'and SSH keys':>22}{'and hosts':>22}")
    for count in SITES:
        snapshot, written = _site(tmp_path / str(count), count)
        seconds = [_render(snapshot, written, names) for names in (OWN, WITH_KEYS, (*WITH_KEYS, "hosts"))]
        cells = (f"{each:.2f} ({each * 1000 / count:.2f})" for each in seconds)
        print(f"  {count:>6}" + "".join(f"{cell:>22}" for cell in cells))


def test_what_a_plan_and_a_rehearsal_of_all_nodes_cost(tmp_path: Path) -> None:
    print("\nBoot plans and rehearsals, processor seconds (the draft of the change is not in them):")
    print(f"  {'':<26}" + "".join(f"{count:>10}" for count in SITES))
    sites = [make_site(tmp_path / str(count), count, image="demo") for count in SITES]
    for paths in sites:
        add_generation(paths)
    for label, *edit in EDITS:
        _row(label, [_plan(paths, *edit) for paths in sites])
    _row("simulate, all nodes", [_seconds(_simulation(paths)) for paths in sites])


def test_what_it_costs_to_know_beforehand_what_cannot_be_rendered(tmp_path: Path) -> None:
    print("\nTrying all nodes beforehand, as the daemon does after each edit, processor seconds:")
    print(f"  {'':<26}" + "".join(f"{count:>10}" for count in SITES))
    sites = [make_site(tmp_path / str(count), count, image="demo") for count in SITES]
    for paths in sites:
        add_generation(paths)
        paths.snapshots.mkdir(parents=True)
    _row("nothing is known", [_seconds(_look(paths)) for paths in sites])
    _row("nothing changed", [_seconds(_look(paths)) for paths in sites])
    _row("a command changes a node", [_seconds(_tried_by_command(paths)) for paths in sites])
    for paths in sites:
        file = paths.node_files / "rack001.yaml"
        file.write_text(file.read_text().replace("rack: r001", "rack: other"))
    _row("a rack was edited", [_seconds(_look(paths)) for paths in sites])


def _look(paths: Paths) -> Callable[[], Any]:
    files, published, images = collect(paths), current(paths), catalogue(paths)

    def run() -> None:
        assert render_problems(paths, files, published, images) == ()

    return run


def _tried_by_command(paths: Paths) -> Callable[[], Any]:
    """What a command does more because it tries the nodes that it changes; modules are imported already."""

    def edited(view: SiteView) -> Texts:
        file = "nodes.d/rack001.yaml"
        return {file: (view.text(file) or "").replace("n00001: {", "n00001: {tags: {shelf: s1}, ", 1)}

    drafted = draft(paths, catalogue(paths), edited)
    before = Side(drafted.before, drafted.view.collected)
    after = Side(drafted.after.published, drafted.view.collected)

    def run() -> None:
        assert broken_by(Images(paths, drafted.catalogue), before, after, drafted.after.changed, {}) == ()

    return run


def _site(root: Path, count: int) -> tuple[Snapshot, WrittenFiles]:
    paths = make_site(root, count)
    with current(paths) as published:
        return published.snapshot(), WrittenFiles(collect(paths))


def _render(snapshot: Snapshot, written: WrittenFiles, names: Sequence[str]) -> float:
    library = Library(written, RenderMemo(Renderer()))
    around = Surroundings(snapshot, Identity(SiteKey(b"k" * 32)))
    last = max(snapshot.nodes).encode()
    started = time.process_time()
    for name, node in snapshot.nodes.items():
        archive = pack(library.tree(names, around.context(node))).archive
        assert name.encode() in archive
        assert (b" " + last + b"\n" in archive) == ("hosts" in names)
    return time.process_time() - started


def _plan(paths: Paths, file: str, old: str, new: str) -> float:
    def edited(view: SiteView) -> Texts:
        text = view.text(file) or ""
        assert old in text
        return {file: text.replace(old, new, 1)}

    images = catalogue(paths)
    drafted = draft(paths, images, edited)
    found: list[BootPlan] = []
    seconds = _seconds(lambda: found.append(boot_plan(paths, images, drafted)))
    assert len(found[0].groups) <= 2, "the same change of many nodes has fallen apart"
    return seconds


def _simulation(paths: Paths) -> Callable[[], Any]:
    def run() -> None:
        found = simulate(paths, catalogue(paths), None)
        assert sum(len(outcome.nodes) for outcome in found.outcomes) == len(current(paths).names())

    return run


def _seconds(work: Callable[[], Any]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _row(label: str, seconds: Sequence[float]) -> None:
    print(f"  {label:<26}" + "".join(f"{each:>10.2f}" for each in seconds))
