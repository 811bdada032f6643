"""Edits written and recorded, whatever came in between."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConflictError, IntegrityError, NotFoundError, UnavailableError
from provisioner.host.files import locked
from provisioner.host.journal import Journal, Step, digest, encode
from provisioner.registry import history
from provisioner.registry.amend import recover, write
from provisioner.registry.collect import collect, site_files
from provisioner.registry.history import BY_HAND, ChangedFile
from provisioner.registry.record import About
from provisioner.registry.revision import describe
from tests.support.site import SITE, write_site

A, B, NEW = "nodes.d/a.yaml", "nodes.d/b.yaml", "nodes.d/new.yaml"
ABOUT = About(who="ada", command="prov node set n1 --image x", message="because")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    files = {"provisioner.yaml": SITE, A: "nodes: {n1: {}}\n", B: "nodes: {n2: {}}\n"}
    return write_site(tmp_path, files)


def edit(paths: Paths, texts: Mapping[str, str | None], about: About = ABOUT) -> tuple[str, ...]:
    contents = {path: None if text is None else text.encode() for path, text in texts.items()}
    with locked(paths.write_lock):
        return write(paths, collect(paths), contents, about)


def texts_of(paths: Paths, file: ChangedFile) -> tuple[bytes | None, ...]:
    return tuple(None if known is None else history.content(paths, known) for known in (file.before, file.after))


def test_an_edit_is_written_and_recorded_with_both_texts(paths: Paths) -> None:
    before = describe(collect(paths)).revision

    assert edit(paths, {NEW: "nodes: {n3: {}}\n", A: "nodes: {n1: {image: x}}\n", B: None}) == (A, B, NEW)

    assert set(site_files(collect(paths))) == {"provisioner.yaml", A, NEW}
    assert stat.S_IMODE(paths.history.stat().st_mode) == 0o640
    (change,) = history.changes(paths)
    assert (change.id, change.who, change.command, change.message) == (1, ABOUT.who, ABOUT.command, ABOUT.message)
    assert (change.before, change.after) == (before, describe(collect(paths)).revision)
    assert {each.path: texts_of(paths, each) for each in change.files} == {
        A: (b"nodes: {n1: {}}\n", b"nodes: {n1: {image: x}}\n"),
        B: (b"nodes: {n2: {}}\n", None),
        NEW: (None, b"nodes: {n3: {}}\n"),
    }


def test_an_edit_that_changes_nothing_is_not_recorded(paths: Paths) -> None:
    assert edit(paths, {A: "nodes: {n1: {}}\n", NEW: None}) == ()
    assert history.changes(paths) == []
    assert not paths.history.exists()


def test_what_was_changed_by_hand_is_recorded_before_the_next_edit(paths: Paths) -> None:
    edit(paths, {A: "one\n"})
    (paths.site / A).write_text("two\n")
    (paths.site / B).unlink()
    overlay = paths.site / "overlays/mine/rootfs/etc/motd"
    overlay.parent.mkdir(parents=True)
    overlay.write_text("hello")

    edit(paths, {A: "three\n"})

    last, by_hand, first = history.changes(paths)
    assert (last.who, by_hand.who, first.who) == ("ada", BY_HAND, "ada")
    assert (first.after, last.before) == (by_hand.before, by_hand.after)
    assert [each.path for each in by_hand.files] == [A, B, "overlays/mine/rootfs/etc/motd"]
    assert [texts_of(paths, each) for each in by_hand.files[:2]] == [
        (b"one\n", b"two\n"),
        (b"nodes: {n2: {}}\n", None),
    ]
    assert texts_of(paths, last.files[0]) == (b"two\n", b"three\n")


def test_a_text_of_an_overlay_is_told_where_a_daemon_kept_it(paths: Paths) -> None:
    edit(paths, {A: "one\n"})
    digests = describe(collect(paths)).files["overlays/ssh/rootfs/etc/ssh"].digest

    with pytest.raises(NotFoundError, match="not kept"):
        history.content(paths, digests)
    kept = paths.objects / digests[:2] / digests
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"ssh")

    assert history.content(paths, digests) == b"ssh"


def test_a_file_that_somebody_changed_meanwhile_stops_the_edit(paths: Paths) -> None:
    files = collect(paths)
    (paths.site / A).write_text("by hand\n")

    with locked(paths.write_lock), pytest.raises(ConflictError, match=A):
        write(paths, files, {A: b"mine", NEW: b"mine"}, ABOUT)

    assert (paths.site / A).read_text() == "by hand\n"
    assert not (paths.site / NEW).exists()
    assert history.changes(paths) == []


def test_a_file_that_no_reader_would_find_cannot_be_written(paths: Paths) -> None:
    with pytest.raises(ValueError, match="no configuration file"):
        edit(paths, {"notes.txt": "hello"})


def interrupt(paths: Paths, before: bytes) -> None:
    """A change that was decided, of which nothing is in place."""
    edit(paths, {B: "nodes: {n2: {image: x}}\n"})
    step = Step(A, A, digest(before), b"new\n")
    note = ABOUT.note("before", "after")
    (paths.state / "journal").write_bytes(encode(Journal((step,), (), note)))


def test_an_interrupted_change_is_finished_and_recorded_once(paths: Paths) -> None:
    interrupt(paths, (paths.site / A).read_bytes())
    journal = (paths.state / "journal").read_bytes()

    assert recover(paths) == ()
    # A crash after it was recorded and before the journal was closed.
    (paths.state / "journal").write_bytes(journal)
    assert recover(paths) == ()

    assert (paths.site / A).read_text() == "new\n"
    assert [change.message for change in history.changes(paths)] == ["because", "because"]
    edit(paths, {B: "nodes: {}\n"})
    assert len(history.changes(paths)) == 3, "recovery left nothing that looks like a hand edit"


def test_a_file_that_was_edited_by_hand_since_is_a_problem_and_a_change_by_hand(paths: Paths) -> None:
    interrupt(paths, b"what it was")

    (problem,) = recover(paths)
    edit(paths, {B: "nodes: {}\n"})

    assert (problem.file, problem.hint) == (A, "prov history show names what the edit wanted")
    assert (paths.site / A).read_text() == "nodes: {n1: {}}\n"
    _, by_hand, interrupted, _ = history.changes(paths)
    assert interrupted.files[0].after == digest(b"new\n")
    assert (by_hand.who, texts_of(paths, by_hand.files[0])) == (BY_HAND, (b"new\n", b"nodes: {n1: {}}\n"))


def test_a_history_that_cannot_be_used_stops_the_edit(paths: Paths) -> None:
    paths.state.mkdir()
    paths.history.write_bytes(b"no database, but as long as the header of one is " * 100)

    with pytest.raises(IntegrityError, match="history") as caught:
        edit(paths, {A: "one\n"})

    assert (paths.site / A).read_text() == "nodes: {n1: {}}\n"
    assert (caught.value.hint or "").startswith(f"mv {paths.history}")
    with pytest.raises(IntegrityError, match="history"):
        history.changes(paths)


def test_a_change_that_does_not_exist_is_not_found(paths: Paths) -> None:
    edit(paths, {A: "one\n"})

    assert history.change(paths, 1).id == 1
    for number in (0, 2):
        with pytest.raises(NotFoundError, match=f"no change {number}"):
            history.change(paths, number)


def test_changes_are_told_newest_first_page_by_page_and_by_file(paths: Paths) -> None:
    for number in range(4):
        edit(paths, {A if number % 2 else B: f"# {number}\n"})

    assert [change.id for change in history.changes(paths)] == [4, 3, 2, 1]
    assert [change.id for change in history.changes(paths, limit=2, before=4)] == [3, 2]
    assert [change.id for change in history.changes(paths, file=A)] == [4, 2]


def test_an_undo_that_is_undone_counts_no_longer(paths: Paths) -> None:
    edit(paths, {A: "1\n"})
    for number, undoes in ((2, 1), (3, 2)):
        edit(paths, {A: f"{number}\n"}, About(who="ada", command="", undoes=undoes))
        found = {change.id: change.undone_by for change in history.changes(paths)}
        assert found == ({1: 2, 2: None} if number == 2 else {1: None, 2: 3, 3: None})


def test_a_change_of_a_linked_file_is_recorded_under_all_of_its_names(paths: Paths) -> None:
    (paths.site / B).unlink()
    (paths.site / B).symlink_to("a.yaml")

    assert edit(paths, {B: "nodes: {n1: {image: x}}\n"}) == (A, B)

    (change,) = history.changes(paths)
    assert {each.path: texts_of(paths, each) for each in change.files} == dict.fromkeys(
        (A, B), (b"nodes: {n1: {}}\n", b"nodes: {n1: {image: x}}\n")
    )
    assert change.after == describe(collect(paths)).revision
    assert (paths.site / B).is_symlink()
    edit(paths, {NEW: "nodes: {n3: {}}\n"})
    assert [each.who for each in history.changes(paths)] == ["ada", "ada"]


def test_removing_a_link_leaves_the_file_that_it_leads_to(paths: Paths) -> None:
    (paths.node_files / "link.yaml").symlink_to("a.yaml")

    assert edit(paths, {"nodes.d/link.yaml": None}) == ("nodes.d/link.yaml",)
    assert site_files(collect(paths))[A] == b"nodes: {n1: {}}\n"


def test_a_history_that_somebody_else_holds_is_not_called_damaged(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(paths, {NEW: "nodes: {n3: {}}\n"})
    # Only the patience is cut short.
    monkeypatch.setattr(history, "_PATIENCE", 0.01)

    with closing(sqlite3.connect(paths.history)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UnavailableError, match="cannot be read now: database is locked") as caught:
            history.changes(paths)

    assert "damaged" not in str(caught.value.hint)
