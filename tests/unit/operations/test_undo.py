"""Taking changes back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConflictError, NotFoundError
from provisioner.operations.undo import to_undo, undo
from provisioner.registry import history
from provisioner.registry.history import ChangedFile
from provisioner.registry.view import SiteView
from tests.support.changes import change
from tests.support.site import SITE, write_site

RACK, NEW = "nodes.d/rack.yaml", "nodes.d/new.yaml"
TEXT = "nodes:\n  n1: {}\n  n2: {}\n  n3: {}\n"
N1, N2 = TEXT.replace("n1: {}", "n1: {script: boot}"), TEXT.replace("n2: {}", "n2: {script: boot}")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return write_site(tmp_path, {"provisioner.yaml": SITE, RACK: TEXT})


def undone(paths: Paths, number: int | None = None) -> Mapping[str, str | None]:
    return undo(paths, to_undo(paths, number))(SiteView.of(paths))


def take_back(paths: Paths, number: int | None = None) -> None:
    change(paths, undone(paths, number), "prov undo", to_undo(paths, number).id)


def test_the_texts_are_those_of_before(paths: Paths) -> None:
    change(paths, {RACK: None, NEW: TEXT})

    assert undone(paths) == {RACK: TEXT, NEW: None}


def test_without_a_number_it_is_the_last_change_that_holds(paths: Paths) -> None:
    change(paths, {RACK: N1})
    change(paths, {NEW: "nodes: {}\n"})
    (paths.site / RACK).write_text(f"# by hand\n{N1}")
    change(paths, {NEW: "nodes:\n"})
    expected = [4, 2, 1]
    for number in expected:
        assert to_undo(paths, None).id == number
        take_back(paths)

    assert (paths.site / RACK).read_text() == f"# by hand\n{TEXT}"
    assert not (paths.site / NEW).exists()
    with pytest.raises(NotFoundError, match="nothing to undo"):
        to_undo(paths, None)


def test_an_undo_of_an_undo_brings_the_change_back(paths: Paths) -> None:
    change(paths, {RACK: N1})
    take_back(paths)
    with pytest.raises(ConflictError, match="undone already, by change 2") as caught:
        to_undo(paths, 1)
    take_back(paths, 2)

    assert caught.value.hint == "prov undo 2 brings it back"
    assert (paths.site / RACK).read_text() == N1
    assert to_undo(paths, None).id == 1


def test_later_changes_of_other_lines_stay(paths: Paths) -> None:
    change(paths, {RACK: N1})
    change(paths, {RACK: N1.replace("n2: {}", "n2: {script: boot}")})

    take_back(paths, 1)

    assert (paths.site / RACK).read_text() == N2


def test_a_later_change_of_the_same_line_stands_in_the_way(paths: Paths) -> None:
    change(paths, {RACK: N1})
    change(paths, {RACK: N1.replace("boot", "other")}, "prov node set n1")
    change(paths, {RACK: N1.replace("boot", "other") + "  n4: {}\n"}, "prov node add n4")

    with pytest.raises(ConflictError, match=f"{RACK} .* by change 2: prov node set n1") as caught:
        undone(paths, 1)

    assert (caught.value.hint or "").startswith("prov undo 2 first")


def test_a_hand_edit_that_nobody_recorded_yet_stands_in_the_way(paths: Paths) -> None:
    change(paths, {RACK: N1})
    (paths.site / RACK).unlink()

    with pytest.raises(ConflictError, match="by hand"):
        undone(paths)


def test_what_is_as_before_already_is_no_conflict(paths: Paths) -> None:
    change(paths, {RACK: N1, NEW: "nodes:\n"})
    (paths.site / RACK).write_text(TEXT)

    assert undone(paths) == {RACK: TEXT, NEW: None}


def test_what_prov_does_not_write_it_does_not_take_back(paths: Paths) -> None:
    change(paths, {RACK: N1})
    template = paths.site / "templates/mine.ipxe.j2"
    template.parent.mkdir(parents=True)
    template.write_text("x")
    change(paths, {RACK: N2})

    with pytest.raises(ConflictError, match=r"templates/mine\.ipxe\.j2, which prov does not write"):
        undone(paths, 2)


def test_a_change_of_a_linked_file_is_taken_back_under_all_of_its_names(paths: Paths) -> None:
    link = "nodes.d/link.yaml"
    (paths.site / link).symlink_to("rack.yaml")
    change(paths, {link: N1})

    take_back(paths)

    assert (paths.site / RACK).read_text() == TEXT
    assert (paths.site / link).is_symlink()
    assert [each.path for each in changed_files(paths)] == [link, RACK] * 2


def changed_files(paths: Paths) -> list[ChangedFile]:
    return [file for each in history.changes(paths) for file in each.files]
