"""Every overlay that ships, rendered whole for a node that uses all of it, and for one that uses nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.archive.tree import Entry, Kind
from provisioner.overlay.source import Overlay, overlay_names
from provisioner.render.environment import Renderer
from tests.support import overlays
from tests.support.golden import Golden
from tests.support.richnode import BASICS, render, rich

# What these make is for every node, whatever it says of itself.
ALWAYS = {"debug", "genders", "hostname", "hosts", "issue", "known-hosts", "munge", "resolv", "ssh"}
GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "overlays"


@pytest.mark.parametrize("name", BASICS)
def test_an_overlay_makes_these_files_of_a_node_that_uses_all_of_it(
    name: str, tmp_path: Path, golden: Golden
) -> None:
    golden(f"overlays/rich/{name}.txt", "".join(map(_shown, render(tmp_path, name, node=rich()).values())))


@pytest.mark.parametrize("name", sorted(set(BASICS) - ALWAYS))
def test_an_overlay_with_nothing_to_say_makes_no_file(name: str, tmp_path: Path) -> None:
    bare = overlays.snapshot().nodes["n001"]

    assert render(tmp_path, name, node=bare) == {}


def test_every_overlay_that_ships_has_a_golden_tree_somewhere(tmp_path: Path) -> None:
    golden = {path.stem for path in GOLDEN.rglob("*.txt")}

    assert set(overlay_names(overlays.shipped(tmp_path))) <= golden


@pytest.mark.parametrize("name", BASICS)
def test_an_overlay_says_what_it_is_for(name: str, tmp_path: Path) -> None:
    assert Overlay(overlays.shipped(tmp_path), name).declared.description.endswith(".")


@pytest.mark.parametrize("name", ["hosts", "genders", "known-hosts"])
def test_a_list_of_all_nodes_reads_nothing_of_the_one_that_gets_it(name: str, tmp_path: Path) -> None:
    overlay = Overlay(overlays.shipped(tmp_path), name)

    for path in overlay.paths:
        assert "node" not in Renderer().inputs(path, overlay.read(path).decode()).names


def test_the_tags_and_resources_that_an_overlay_reads_are_documented(tmp_path: Path) -> None:
    shipped = overlays.shipped(tmp_path)
    for name in BASICS:
        overlay = Overlay(shipped, name)
        text = "".join(overlay.read(path).decode() for path in overlay.paths)
        for start, end in (('tags.get("', '"'), ('resource("', '"')):
            kind = "tags" if start.startswith("tags") else "resources"
            for part in text.split(start)[1:]:
                wanted = f"{kind}.{part.partition(end)[0]}"
                assert any(key.startswith(wanted) for key in overlay.declared.variables), f"{name}: {wanted}"


def test_all_overlays_can_be_laid_over_each_other(tmp_path: Path) -> None:
    assert len(render(tmp_path, *BASICS, node=rich())) > len(BASICS)


def _shown(entry: Entry) -> str:
    head = f"==== {entry.path} {entry.kind.name.lower()} {entry.mode:04o} {entry.uid}:{entry.gid}"
    text = entry.content.decode()
    return f"{head} -> {text}\n" if entry.kind is Kind.SYMLINK else f"{head}\n{text}"
