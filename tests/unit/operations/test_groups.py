"""Changes of groups, from what is typed to what is written, and what is told of a group."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, ConflictError, NotFoundError, ProvisionerError
from provisioner.operations import groups
from provisioner.operations.change import Plan, commit, draft
from provisioner.registry.view import SiteView
from tests.support.site import SITE, catalogue_of, write_site

FILES = {
    "provisioner.yaml": SITE,
    "groups.d/g.yaml": "groups:\n  base: {tags: {site: north}}\n  g: {groups: [base], bmc: {password: open}}\n",
    "nodes.d/n.yaml": "nodes: {'n[1-2]': {groups: [g]}, n3: {groups: [base]}}\n",
}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return write_site(tmp_path, FILES)


def carry_out(paths: Paths, plan: Plan) -> tuple[str, ...]:
    return commit(draft(paths, catalogue_of("debian-12"), plan), command="x").files


def test_a_group_is_added_and_changed(paths: Paths) -> None:
    assert carry_out(paths, groups.add("new", ["kernel.args=quiet"])) == ("groups.d/new.yaml",)
    assert carry_out(paths, groups.change("new", ["kernel.args+=splash"])) == ("groups.d/new.yaml",)

    assert (paths.group_files / "new.yaml").read_text() == "groups:\n  new: {kernel: {args: [quiet, splash]}}\n"


def test_a_group_in_use_is_not_deleted_but_detached(paths: Paths) -> None:
    with pytest.raises(ConflictError, match=r"n\[1-2\]"):
        carry_out(paths, groups.delete("g"))

    assert carry_out(paths, groups.delete("g", detach=True)) == ("groups.d/g.yaml", "nodes.d/n.yaml")


def test_a_group_is_renamed_wherever_it_is_named(paths: Paths) -> None:
    assert carry_out(paths, groups.rename("base", "all")) == ("groups.d/g.yaml", "nodes.d/n.yaml")
    assert groups.find(SiteView.of(paths), "g").value.groups == ("all",)


def test_a_group_is_copied_and_a_value_taken_away(paths: Paths) -> None:
    carry_out(paths, groups.copy("base", "south"))
    carry_out(paths, groups.unset("south", ["tags.site"]))

    assert groups.find(SiteView.of(paths), "south").value.tags == {}


def test_a_group_is_shown_with_its_nodes_and_without_its_password(paths: Paths) -> None:
    view = SiteView.of(paths)

    assert groups.shown(view, "g") == {
        ("name",): "g",
        ("place",): "groups.d/g.yaml:3",
        ("count",): 2,
        ("nodes",): "n[1-2]",
        ("groups",): ["base"],
        ("bmc", "password"): "********",
    }
    assert groups.shown(view, "g", secrets=True)["bmc", "password"] == "open"
    assert groups.shown(view, "base")["nodes",] == "n[1-3]"


def test_a_group_that_is_not_there_is_not_found(paths: Paths) -> None:
    view = SiteView.of(paths)
    for look in (
        lambda: groups.find(view, "h"),
        lambda: groups.existing(view, ["g", "h"]),
        lambda: groups.shown(view, "h"),
    ):
        with pytest.raises(NotFoundError, match="there is no group h"):
            look()


def test_a_group_that_would_lead_to_itself_is_refused(paths: Paths) -> None:
    with pytest.raises(ConfigError, match="groups in a circle"):
        carry_out(paths, groups.change("base", ["groups=g"]))


@pytest.mark.parametrize("name", ["../x", "a b", ""])
def test_what_cannot_be_a_name_is_not_written(paths: Paths, name: str) -> None:
    before = sorted(paths.site.rglob("*.yaml"))

    with pytest.raises(ProvisionerError, match="is not a name"):
        carry_out(paths, groups.add(name, []))

    assert sorted(paths.site.rglob("*.yaml")) == before


def test_nothing_to_set_is_said() -> None:
    with pytest.raises(ProvisionerError, match="nothing to set"):
        groups.change("g", [])


def test_entries_go_to_an_editor_and_back(paths: Paths) -> None:
    text = groups.entries(SiteView.of(paths), ["base"])

    carry_out(paths, groups.edited(["base"], text.replace("north", "south")))

    assert groups.find(SiteView.of(paths), "base").value.tags == {"site": "south"}
