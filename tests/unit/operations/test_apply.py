"""Documents that are carried out as one change."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError
from provisioner.operations.apply import documents
from provisioner.operations.change import Plan, commit, draft
from provisioner.registry.compiler import current
from provisioner.registry.history import changes
from tests.support.site import SITE, catalogue_of, write_site

FILES = {
    "provisioner.yaml": SITE,
    "groups.d/g.yaml": "groups: {g: , h: }\n",
    "nodes.d/n.yaml": "nodes: {'n[1-4]': {groups: [g], tags: {rack: r1}}}\n",
}
EVERYTHING = """\
rename: {groups: {h: new}}
delete: {nodes: [n4]}
unset: {nodes: {n3: [tags.rack]}}
groups:
  new: {image: debian-12}
nodes:
  "@g!n3": {groups: [new]}
  m1: {groups: [new]}
"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return write_site(tmp_path, FILES)


def carry_out(paths: Paths, plan: Plan) -> dict[str, tuple[list[str], dict[str, str]]]:
    """Groups and tags of the nodes after a change."""
    commit(draft(paths, catalogue_of("debian-12"), plan), command="x")
    with current(paths) as published:
        return {each["name"]: (each["groups"], each["tags"]) for each in published.records()}


def test_everything_in_a_document_is_one_change(paths: Paths) -> None:
    after = carry_out(paths, documents([("a.yaml", EVERYTHING)]))

    assert after == {
        "n1": (["g", "new"], {"rack": "r1"}),
        "n2": (["g", "new"], {"rack": "r1"}),
        "n3": (["g"], {}),
        "m1": (["new"], {}),
    }
    assert len(changes(paths)) == 1


def test_a_group_means_its_nodes_as_the_documents_leave_them(paths: Paths) -> None:
    text = "rename: {nodes: {n1: m1}}\ndelete: {nodes: ['@rack:r1!n2!m1']}\nnodes: {'@*': {tags: {x: y}}}\n"

    after = carry_out(paths, documents([("a.yaml", text)]))

    assert after == {"m1": (["g"], {"rack": "r1", "x": "y"}), "n2": (["g"], {"rack": "r1", "x": "y"})}


def test_a_mistake_in_one_of_many_documents_changes_nothing(paths: Paths) -> None:
    texts = [("a.yaml", EVERYTHING), ("b.yaml", "nodes: {'@nobody': {imag: x}}\n")]

    with pytest.raises(ConfigError) as caught:
        carry_out(paths, documents(texts))

    assert [(each.file, each.line) for each in caught.value.problems] == [("b.yaml", 1)] * len(
        caught.value.problems
    )
    assert "there is no group nobody" in caught.value.message
    assert changes(paths) == []


def test_a_document_of_nodes_alone_is_held_to_it(paths: Paths) -> None:
    assert carry_out(paths, documents([("a", "nodes: {n1: {tags: {x: y}}}\n")], only="nodes"))

    with pytest.raises(ConfigError, match=r"a:1:1: 'rename' is not for this command, which takes nodes only"):
        documents([("a", EVERYTHING)], only="nodes")
