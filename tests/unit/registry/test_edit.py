"""Edits of real files."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from provisioner.errors import ConfigError, NotFoundError
from provisioner.model.catalogue import Catalogue
from provisioner.registry.edit import edit, examine_site
from provisioner.registry.load import Examined
from tests.support.site import SITE, write_site

NODES = "nodes.d/a.yaml"
FILES = {"provisioner.yaml": SITE, NODES: "nodes: {n1: {}}\n"}


def test_an_edit_is_written_and_its_files_are_named(tmp_path: Path) -> None:
    paths = write_site(tmp_path, FILES)

    changed = edit(paths, Catalogue(), lambda texts, _site: {**texts, "nodes.d/b.yaml": "nodes: {n2: {}}\n"})

    assert changed == ("nodes.d/b.yaml",)
    assert (paths.node_files / "b.yaml").read_text() == "nodes: {n2: {}}\n"
    assert stat.S_IMODE((paths.node_files / "b.yaml").stat().st_mode) == 0o640


def test_an_edit_that_changes_nothing_writes_nothing(tmp_path: Path) -> None:
    paths = write_site(tmp_path, FILES)
    before = (tmp_path / NODES).stat()

    assert edit(paths, Catalogue(), lambda texts, _site: texts) == ()
    assert (tmp_path / NODES).stat() == before


def test_an_edit_that_makes_a_mistake_is_not_written(tmp_path: Path) -> None:
    paths = write_site(tmp_path, FILES)

    with pytest.raises(ConfigError, match="unknown image"):
        edit(paths, Catalogue(), lambda texts, _site: {**texts, NODES: "nodes: {n1: {image: x}}\n"})

    assert (tmp_path / NODES).read_text() == FILES[NODES]


def test_a_site_that_is_broken_elsewhere_can_be_edited(tmp_path: Path) -> None:
    broken = "# three\n# lines\nnodes: {n9: {image: x, imge: y}}\n"
    paths = write_site(tmp_path, {**FILES, NODES: broken})

    edit(paths, Catalogue(), lambda texts, _site: {**texts, NODES: f"# one more\n{broken}"})
    edit(paths, Catalogue(), lambda texts, _site: {**texts, NODES: "nodes: {n9: {}}\n"})

    assert examine_site(paths, Catalogue()).problems == ()


def test_what_the_plan_raises_comes_through_and_the_lock_is_free_again(tmp_path: Path) -> None:
    paths = write_site(tmp_path, FILES)

    def plan(texts: Mapping[str, str], site: Examined) -> Mapping[str, str]:
        raise NotFoundError("no")

    for _ in range(2):
        with pytest.raises(NotFoundError, match="no"):
            edit(paths, Catalogue(), plan)


def test_mode_and_link_of_an_edited_file_stay(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {**FILES, "shared.yaml": "nodes: {n2: {}}\n"})
    (tmp_path / "shared.yaml").chmod(0o600)
    (paths.node_files / "link.yaml").symlink_to("../shared.yaml")

    edit(paths, Catalogue(), lambda texts, _site: {**texts, "nodes.d/link.yaml": "nodes: {n3: {}}\n"})

    assert (paths.node_files / "link.yaml").is_symlink()
    assert (tmp_path / "shared.yaml").read_text() == "nodes: {n3: {}}\n"
    assert stat.S_IMODE((tmp_path / "shared.yaml").stat().st_mode) == 0o600
