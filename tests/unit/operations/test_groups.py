"""Groups: add, change, look."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.errors import ConfigError, NotFoundError, ProvisionerError
from provisioner.model.catalogue import Catalogue
from provisioner.operations.groups import add_group, find_group, members, set_group
from provisioner.operations.nodes import usable_site
from provisioner.registry.changes import Changes
from tests.support.site import SITE, write_site

EMPTY = Catalogue()


def test_a_group_is_added_changed_and_found(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {"provisioner.yaml": SITE})

    assert add_group(paths, EMPTY, "g", Changes(kernel_args=("quiet",))).files == ("groups.d/g.yaml",)
    assert set_group(paths, EMPTY, "g", Changes(kernel_args=("splash", "no"))).files == ("groups.d/g.yaml",)

    site, _ = usable_site(paths, EMPTY)
    assert find_group(site, "g").value.kernel.args == ("splash", "no")
    with pytest.raises(NotFoundError, match="there is no group h"):
        find_group(site, "h")


def test_members_are_those_that_inherit_too(tmp_path: Path) -> None:
    files = {
        "provisioner.yaml": SITE,
        "groups.d/g.yaml": "groups: {base: , g: {groups: [base]}, none: }\n",
        "nodes.d/n.yaml": "nodes: {'n[1-2]': {groups: [g]}, n3: {groups: [base]}}\n",
    }

    site, _ = usable_site(write_site(tmp_path, files), EMPTY)

    assert members(site) == {"base": ["n1", "n2", "n3"], "g": ["n1", "n2"], "none": []}


def test_a_group_that_would_lead_to_itself_is_refused(tmp_path: Path) -> None:
    paths = write_site(
        tmp_path, {"provisioner.yaml": SITE, "groups.d/g.yaml": "groups: {a: , b: {groups: [a]}}\n"}
    )

    with pytest.raises(ConfigError, match="groups in a circle"):
        set_group(paths, EMPTY, "a", Changes(groups=("b",)))


@pytest.mark.parametrize("name", ["../x", "a b", ""])
def test_what_cannot_be_a_name_is_not_written(tmp_path: Path, name: str) -> None:
    paths = write_site(tmp_path, {"provisioner.yaml": SITE})

    with pytest.raises(ConfigError, match="is not a name"):
        add_group(paths, EMPTY, name, Changes())

    assert not paths.group_files.exists()


def test_nothing_to_set_is_said(tmp_path: Path) -> None:
    with pytest.raises(ProvisionerError, match="nothing to set"):
        set_group(write_site(tmp_path, {}), EMPTY, "g", Changes())
