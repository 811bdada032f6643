"""Check and compile."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.errors import ConfigError
from provisioner.model.catalogue import Catalogue
from provisioner.operations.check import check, compile_site
from provisioner.registry.revision import Revision
from provisioner.registry.store import read_current
from tests.support.site import SITE, catalogue_of, write_site

FILES = {"provisioner.yaml": SITE, "nodes.d/a.yaml": "nodes: {n1: {image: debian-12}}\n"}
IMAGES = catalogue_of("debian-12")


def test_checking_finds_what_compiling_makes_and_serves_nothing(tmp_path: Path) -> None:
    paths = write_site(tmp_path, FILES)

    checked = check(paths, IMAGES)
    assert not paths.current_revision.exists()
    compiled = compile_site(paths, IMAGES)

    assert (checked.revision, checked.snapshot) == (compiled.revision, compiled.snapshot)


def test_overlays_are_looked_at_once_for_each_state_that_they_are_in(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {**FILES, "overlays/x/rootfs/etc/x.j2": "{{ node. }}"})
    paths.state.mkdir()
    for _ in range(2):
        with pytest.raises(ConfigError) as caught:
            check(paths, IMAGES)
        assert [problem.file for problem in caught.value.problems] == ["overlays/x/rootfs/etc/x.j2"]
    (looked,) = paths.snapshots.glob("overlays-*.json")

    looked.write_text("[]")
    check(paths, IMAGES)
    (tmp_path / "nodes.d/a.yaml").write_text("nodes: {n2: }\n")
    check(paths, IMAGES)
    (tmp_path / "overlays/x/rootfs/etc/x.j2").write_text("{{ node.. }}")
    with pytest.raises(ConfigError):
        check(paths, IMAGES)


def test_an_answer_about_overlays_that_cannot_be_read_is_found_again(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {**FILES, "overlays/x/rootfs/etc/x.j2": "{{ node. }}"})
    paths.state.mkdir()
    with pytest.raises(ConfigError):
        check(paths, IMAGES)
    (looked,) = paths.snapshots.glob("overlays-*.json")
    looked.write_text("[[1]]")

    with pytest.raises(ConfigError, match="Jinja"):
        check(paths, IMAGES)


def test_compiling_keeps_the_revision_and_makes_it_current(tmp_path: Path) -> None:
    paths = write_site(tmp_path, FILES)

    compiled = compile_site(paths, IMAGES)

    assert read_current(paths) == compiled.revision == compiled.snapshot.revision
    assert Revision.open(paths, compiled.revision).read("site/provisioner.yaml") == SITE.encode()
    assert list(compiled.snapshot.nodes) == ["n1"]


def test_a_mistake_leaves_the_current_revision_as_it_was(tmp_path: Path) -> None:
    paths = write_site(tmp_path, FILES)
    good = compile_site(paths, IMAGES).revision
    (tmp_path / "nodes.d/a.yaml").write_text("nodes: {n1: {image: x}}\n")

    with pytest.raises(ConfigError, match="unknown image 'x'"):
        compile_site(paths, IMAGES)

    assert read_current(paths) == good


def test_going_back_to_old_files_is_going_back_to_the_old_revision(tmp_path: Path) -> None:
    paths = write_site(tmp_path, FILES)
    first = compile_site(paths, IMAGES).revision
    write_site(tmp_path, {**FILES, "nodes.d/a.yaml": "nodes: {n2: }\n"})
    second = compile_site(paths, IMAGES).revision
    write_site(tmp_path, FILES)

    assert compile_site(paths, IMAGES).revision == first != second


def test_a_site_needs_its_overlays_and_scripts_to_exist(tmp_path: Path) -> None:
    paths = write_site(
        tmp_path, {**FILES, "groups.d/g.yaml": "groups: {g: {overlays: {system: [x]}, script: y}}\n"}
    )

    with pytest.raises(ConfigError) as caught:
        check(paths, Catalogue())

    assert len(caught.value.problems) == 3
