"""Which nodes a command is about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.errors import NotFoundError, ProvisionerError
from provisioner.operations.select import named, newest, select
from provisioner.registry.compiler import current
from provisioner.registry.published import Published
from tests.support.site import SITE, write_site

FILES = {
    "provisioner.yaml": SITE,
    "groups.d/g.yaml": "groups: {base: , compute: {groups: [base]}, none: }\n",
    "nodes.d/n.yaml": """\
nodes:
  n[1-4]: {groups: [compute], interfaces: {eth0: {ip: 10.0.1.1+}}}
  n[1-2]: {tags: {rack: r1}}
  n3: {tags: {rack: r2}, interfaces: {eth0: {mac: "52:54:00:00:00:03"}}}
  login: {groups: [base]}
""",
}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Published]:
    with current(write_site(tmp_path, FILES)) as published:
        yield published


@pytest.mark.parametrize(
    ("text", "where", "chosen"),
    [
        ("n[1-2],login", (), ("login", "n1", "n2")),
        ("@compute!n3", (), ("n1", "n2", "n4")),
        ("@base&n*", (), ("n1", "n2", "n3", "n4")),
        ("@rack:r1", (), ("n1", "n2")),
        ("@rack:*", (), ("n1", "n2", "n3")),
        (None, (), ("login", "n1", "n2", "n3", "n4")),
        ("@*", ("tags.rack=r1",), ("n1", "n2")),
        (None, ("mac=52-54-00-00-00-03",), ("n3",)),
        (None, ("groups=compute", "!tags.rack"), ("n4",)),
        ("@compute", ("interfaces.eth0.ip=10.0.1.2",), ("n2",)),
        (None, ("ip=10.0.1.4",), ("n4",)),
    ],
)
def test_nodes_are_chosen_by_name_group_tag_and_fact(
    site: Published, text: str | None, where: tuple[str, ...], chosen: tuple[str, ...]
) -> None:
    assert select(site, text, where) == chosen


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("n[1-9]", (), r"there is no node n\[5-9\]"),
        ("@compte", (), "there is no group compte"),
        ("@rack:r9", (), "no node has the tag rack=r9"),
        ("@shelf:*", (), "no node has the tag shelf"),
        ("@none", (), "it is empty"),
        ("@*", ("image",), "no node of @* passes image"),
        (None, ("tags.rack=r1", "tags.rack=r2"), "no node passes tags.rack=r1 and tags.rack=r2"),
    ],
)
def test_an_empty_choice_is_an_error_that_says_what_is_not_there(
    site: Published, text: str | None, where: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ProvisionerError, match=message.replace("@*", r"@\*")):
        select(site, text, where)


def test_a_wrong_node_set_is_shown_with_the_character(site: Published) -> None:
    with pytest.raises(ProvisionerError) as caught:
        select(site, "n[1-2],n[3")

    assert caught.value.message.splitlines()[1:] == ["  n[1-2],n[3", "          ^"]
    assert caught.value.message.startswith("wrong node set: ")


def test_a_wrong_filter_is_shown_with_the_character_and_a_suggestion(site: Published) -> None:
    with pytest.raises(ProvisionerError, match="did you mean image") as caught:
        select(site, None, ["imge=x"])

    assert caught.value.message.splitlines()[1:] == ["  imge=x", "  ^"]


def test_nodes_that_are_to_be_made_are_named_without_groups() -> None:
    assert named("n[1-3]") == ("n1", "n2", "n3")
    with pytest.raises(ProvisionerError, match="names a group"):
        named("@compute")


def test_a_site_without_nodes_has_none_to_choose(tmp_path: Path) -> None:
    with (
        current(write_site(tmp_path, {"provisioner.yaml": SITE})) as published,
        pytest.raises(NotFoundError, match="the site has no nodes"),
    ):
        select(published, None)


def test_nodes_can_be_named_where_provisioner_yaml_is_broken(tmp_path: Path) -> None:
    with current(write_site(tmp_path, {**FILES, "provisioner.yaml": "cluster: []\n"})) as published:
        assert select(published, "n1") == ("n1",)


def test_the_newest_snapshot_may_be_of_yesterday_and_none_is_no_error(tmp_path: Path) -> None:
    paths = write_site(tmp_path, FILES)
    assert newest(paths) is None
    paths.snapshots.mkdir(parents=True)
    with current(paths) as published:
        revision = published.revision
    (paths.node_files / "more.yaml").write_text("nodes: {n9: }\n")

    found = newest(paths)

    assert found is not None
    with found:
        assert found.revision == revision


def test_what_is_not_found_in_a_site_with_mistakes_may_be_in_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {**FILES, "nodes.d/z.yaml": "nodes: {n9: {\n"})

    with (
        current(paths) as site,
        pytest.raises(NotFoundError, match="no node n9; the site has 1 problem, see prov"),
    ):
        select(site, "n9")
