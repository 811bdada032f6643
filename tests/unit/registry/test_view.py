"""The site as an edit looks at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.errors import ConfigError, NotFoundError
from provisioner.registry.view import SiteView, explain
from tests.support.site import SITE, write_site

FILES = {
    "provisioner.yaml": SITE,
    "groups.d/g.yaml": "groups:\n  g: {tags: {t: x}}\n",
    "nodes.d/a.yaml": "nodes:\n  n[1-3]: {groups: [g]}\n  n1: {tags: {t: y}}\n",
    "nodes.d/b.yaml": "nodes:\n  n3: {image: a}\n  n4: {}\n",
    "nodes.d/c.yaml": "nodes: [\n",
}


@pytest.fixture
def view(tmp_path: Path) -> SiteView:
    return SiteView.of(write_site(tmp_path, FILES))


def test_nodes_groups_files_and_texts_are_known(view: SiteView) -> None:
    assert view.node_names == {"n1", "n2", "n3", "n4"}
    assert (view.has("n4"), view.has("n5")) == (True, False)
    assert list(view.groups) == ["g"]
    assert view.files == (
        "groups.d/g.yaml",
        "nodes.d/a.yaml",
        "nodes.d/b.yaml",
        "nodes.d/c.yaml",
        "provisioner.yaml",
    )
    assert view.text("nodes.d/b.yaml") == FILES["nodes.d/b.yaml"]
    assert view.text("nodes.d/z.yaml") is None


def test_entries_that_name_a_node_come_whole_and_weakest_first(view: SiteView) -> None:
    assert [(each.key.text, each.names) for each in view.entries_of(["n3"])] == [
        ("n[1-3]", ("n1", "n2", "n3")),
        ("n3", ("n3",)),
    ]
    assert [each.key.text for each in view.entries_of(["n1", "n4"])] == ["n[1-3]", "n1", "n4"]
    assert view.entries_of(["n9"]) == ()


def test_nodes_are_resolved_with_every_place_that_said_something(view: SiteView) -> None:
    (node,) = view.resolve(["n1"]).nodes

    assert [str(source) for source in node.provenance["tags.t"]] == [
        "groups.d/g.yaml:2 (group g)",
        "nodes.d/a.yaml:3 (node n1)",
    ]


def test_one_node_is_explained_from_its_files(tmp_path: Path) -> None:
    paths = write_site(tmp_path, FILES)

    assert str(explain(paths, "n3").provenance["image"][0]) == "nodes.d/b.yaml:2 (node n3)"
    with pytest.raises(NotFoundError, match="there is no node n9"):
        explain(paths, "n9")


def test_without_a_usable_provisioner_yaml_nothing_is_explained(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {**FILES, "provisioner.yaml": "cluster: x\n"})

    with pytest.raises(ConfigError, match="networks"):
        explain(paths, "n3")
