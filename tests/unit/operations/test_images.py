"""What is told of the inside of an image."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError
from provisioner.image import store
from provisioner.operations import images
from tests.support import resolved
from tests.support.imagetree import stored, tree

NAME = "debian-12"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths.below(tmp_path / "site")
    stored(paths, tree(tmp_path / "root", {"etc/evil\x1b[2J": "x", "etc/ma\udcff": "x"}))
    return paths


def found(paths: Paths, pattern: str) -> list[str]:
    return [each["path"] for each in images.list_files(paths, NAME, pattern)]


def test_a_description_counts_what_the_image_holds(paths: Paths) -> None:
    told = images.describe(paths, images.show_image(paths, NAME))

    assert told["name"] == "debian-12@1"
    assert (told["package_manager"], told["packages"], told["users"], told["units"]) == ("dpkg", 2, 2, 1)
    assert told["init"] == {"name": "systemd", "version": "252"}
    assert told["network"] == [{"name": "systemd-networkd", "enabled": True}]


def test_packages_units_and_users_are_listed(paths: Paths) -> None:
    assert images.list_packages(paths, NAME)[0] == {
        "name": "bash",
        "version": "5.2.15-2+b7",
        "architecture": "amd64",
    }
    assert images.list_units(paths, NAME) == [
        {"name": "systemd-networkd.service", "state": "enabled", "wanted_by": ["multi-user.target"]}
    ]
    assert [each["uid"] for each in images.list_users(paths, NAME)] == [0, 998]


def test_files_are_found_by_a_pattern_or_as_the_image_follows_a_path(paths: Paths) -> None:
    assert found(paths, "/etc/s[gh]*") == ["/etc/shells"]
    assert "/etc/systemd/system/multi-user.target.wants" in found(paths, "/etc/s*")
    assert found(paths, "/bin/bash") == ["/usr/bin/bash"]
    assert found(paths, "/bin") == ["/bin"]
    assert found(paths, "/bin/nothing") == []
    assert images.list_files(paths, NAME, "*/bash")[0] | {"mode": "", "uid": 0, "gid": 0} == {
        "path": "/usr/bin/bash",
        "kind": "file",
        "mode": "",
        "uid": 0,
        "gid": 0,
        "size": 2,
        "target": "",
        "package": "bash",
    }


def test_names_of_files_cannot_move_the_cursor(paths: Paths) -> None:
    assert {"/etc/evil\\x1b[2J", "/etc/ma\\xff"} <= set(found(paths, "/etc/*"))


def test_a_generation_without_an_inventory_is_described_and_lists_nothing(paths: Paths) -> None:
    store.publish(paths, resolved.generation(image="old"))

    assert "units" not in images.describe(paths, images.show_image(paths, "old"))
    for ask in (images.list_packages, images.list_units, images.list_users):
        with pytest.raises(NotFoundError, match="old@1 has no inventory") as caught:
            ask(paths, "old")
        assert "again" in (caught.value.hint or "")
    with pytest.raises(NotFoundError):
        images.list_files(paths, "old", "*")
