"""The revision that is served, and its snapshot, whatever became of the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, NotFoundError
from provisioner.model.snapshot import Snapshot
from provisioner.registry.collect import collect
from provisioner.registry.compiler import current
from provisioner.registry.revision import keep
from provisioner.registry.schema import snapshot_path
from provisioner.registry.store import follow, read_current, read_node, read_snapshot, set_current
from tests.support.site import SITE, write_site

NODES = """\
nodes:
  n[1-3]: {tags: {rack: "ü"}, kernel: {args: [quiet]}, interfaces: {eth0: {ip: 10.0.1.1+}}}
  n1: {interfaces: {eth0: {mac: "52:54:00:00:00:0a"}}}
"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = write_site(tmp_path, {"provisioner.yaml": SITE, "nodes.d/a.yaml": NODES})
    paths.state.mkdir()
    return paths


def written(paths: Paths, nodes: str = NODES, site: str = SITE) -> str:
    """The revision of a site with these nodes, published."""
    (paths.node_files / "a.yaml").write_text(nodes)
    paths.site_file.write_text(site)
    return current(paths).revision


def test_a_snapshot_reads_back_as_what_is_written(paths: Paths) -> None:
    snapshot = read_snapshot(paths, written(paths))

    assert list(snapshot.nodes) == ["n1", "n2", "n3"]
    assert [(mac, node.name) for mac, node in snapshot.by_mac.items()] == [("52:54:00:00:00:0a", "n1")]
    assert {str(address): node.name for address, node in snapshot.by_address.items()} == {
        "10.0.1.1": "n1",
        "10.0.1.2": "n2",
        "10.0.1.3": "n3",
    }


def test_the_current_revision_is_one_that_is_published(paths: Paths) -> None:
    assert read_current(paths) is None
    revision = written(paths)

    set_current(paths, revision)
    with pytest.raises(NotFoundError, match="is not published"):
        set_current(paths, "def")

    assert read_current(paths) == revision


def test_a_revision_with_mistakes_is_never_served(paths: Paths) -> None:
    good = written(paths)
    set_current(paths, good)

    with pytest.raises(ConfigError, match="unknown key"):
        set_current(paths, written(paths, "nodes: {n1: {colour: red}}\n"))

    assert read_current(paths) == good


@pytest.mark.parametrize("name", ["def", "../abc", ""])
def test_a_revision_that_was_neither_published_nor_kept_is_not_found(paths: Paths, name: str) -> None:
    with pytest.raises(NotFoundError):
        read_snapshot(paths, name)


@pytest.mark.parametrize("content", [None, b"", b"rubbish" * 1000])
def test_a_snapshot_that_is_gone_or_damaged_is_made_again_of_what_was_kept(
    paths: Paths, content: bytes | None
) -> None:
    revision = written(paths)
    keep(paths, collect(paths))
    before = read_snapshot(paths, revision)
    written(paths, "nodes: {other: }\n")
    place = snapshot_path(paths, revision)
    place.unlink()
    if content is not None:
        place.write_bytes(content)

    assert read_snapshot(paths, revision) == before
    assert read_node(paths, revision, "n1") == before.nodes["n1"]


@pytest.mark.parametrize(
    ("nodes", "site"),
    [
        (NODES, SITE),
        (NODES.replace("00:0a", "00:0b"), SITE),
        (NODES.replace("n[1-3]", "n[2-5]"), SITE),
        (NODES.replace("10.0.1.1+", "10.0.1.2+"), SITE),
        ("nodes:\n", SITE),
        (NODES, f"{SITE}ssh: {{admin_keys: [k]}}\n"),
        (NODES, SITE.replace("10.0.0.0/16", "10.0.0.0/15")),
    ],
)
def test_what_follows_a_snapshot_equals_what_is_read_whole(paths: Paths, nodes: str, site: str) -> None:
    old = read_snapshot(paths, written(paths))
    revision = written(paths, nodes, site)

    new = follow(paths, old, revision)

    assert comparable(new) == comparable(read_snapshot(paths, revision))


def test_nodes_that_an_edit_left_alone_are_the_same_objects(paths: Paths) -> None:
    old = read_snapshot(paths, written(paths))

    new = follow(paths, old, written(paths, NODES.replace("00:0a", "00:0b")))

    assert new.nodes["n2"] is old.nodes["n2"]
    assert new.nodes["n1"] is not old.nodes["n1"]
    assert new.site is old.site


def test_a_snapshot_whose_file_is_gone_can_be_followed(paths: Paths) -> None:
    old = read_snapshot(paths, written(paths))
    revision = written(paths, "nodes: {n7: }\n")
    snapshot_path(paths, old.revision).unlink()

    assert comparable(follow(paths, old, revision)) == comparable(read_snapshot(paths, revision))


def comparable(snapshot: Snapshot) -> object:
    return snapshot.revision, snapshot.site, dict(snapshot.nodes), dict(snapshot.by_mac), dict(snapshot.by_address)
