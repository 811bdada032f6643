"""Many files changed as one, and what is done about a change that was interrupted."""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from provisioner.errors import ConflictError, IntegrityError, NotFoundError, UnavailableError
from provisioner.host import placement, transaction
from provisioner.host.journal import Journal, Place, Step, digest, encode, mark, read
from provisioner.host.transaction import FileChange, commit, recover


@pytest.fixture
def place(tmp_path: Path) -> Place:
    for name in ("root", "state"):
        (tmp_path / name).mkdir()
    return Place(tmp_path / "root", tmp_path / "state")


def nothing(_journal: Journal) -> None:
    """For who records nothing."""


def change(place: Place, contents: Mapping[str, str | None]) -> dict[str, FileChange]:
    made = {}
    for path, text in contents.items():
        file = place.root / path
        before = digest(file.read_bytes()) if file.exists() else None
        made[path] = FileChange(before, None if text is None else text.encode())
    return made


def write(place: Place, contents: Mapping[str, str | None]) -> bool:
    return commit(place, change(place, contents), {}, nothing)


def lying(place: Place) -> dict[str, str]:
    files = (path for path in place.root.rglob("*") if not path.is_dir())
    return {str(path.relative_to(place.root)): path.read_text() for path in files}


def interrupted(place: Place, steps: Mapping[str, tuple[str | None, str | None]]) -> None:
    """A journal that counts, of which nothing is in place: path, and content before and after."""
    made = [
        Step(path, path, digest(None if old is None else old.encode()), None if new is None else new.encode())
        for path, (old, new) in steps.items()
    ]
    place.journal.write_bytes(encode(Journal(tuple(made), (), {"uid": "1"})))


def test_files_are_made_changed_and_removed_together(place: Place) -> None:
    for name in ("changed", "kept", "removed"):
        (place.root / name).write_text("old")

    assert write(place, {"changed": "new", "removed": None, "sub/folder/made": "new"})

    assert lying(place) == {"changed": "new", "kept": "old", "sub/folder/made": "new"}
    assert [path.name for path in place.state.iterdir()] == ["journal.done"]


def test_what_changes_nothing_is_no_commit(place: Place) -> None:
    (place.root / "a").write_text("same")

    assert not write(place, {"a": "same", "missing": None})
    assert list(place.state.iterdir()) == []


def test_a_file_that_is_not_what_the_change_was_made_from_stops_all(place: Place) -> None:
    wanted = change(place, {"a": "mine", "b": "mine"})
    (place.root / "b").write_text("somebody else's")

    with pytest.raises(ConflictError, match="b was changed while it was edited"):
        commit(place, wanted, {}, nothing)

    assert lying(place) == {"b": "somebody else's"}


def by_hand_after(monkeypatch: pytest.MonkeyPatch, module: object, name: str, edit: Callable[[], object]) -> None:
    """Have somebody edit right after a step of a commit."""
    original = getattr(module, name)

    def followed(*values: object) -> object:
        result = original(*values)
        edit()
        return result

    monkeypatch.setattr(module, name, followed)


# The contents are written; the change is decided. From then on readers see it as made.
MOMENTS = [(placement, "prepare"), (transaction, "sync_directory")]


@pytest.mark.parametrize(("module", "name"), MOMENTS)
@pytest.mark.parametrize("hand", ["b", "gone", "made"])
def test_a_hand_edit_between_check_and_rename_stays_and_takes_the_change_back(
    place: Place, monkeypatch: pytest.MonkeyPatch, module: object, name: str, hand: str
) -> None:
    old = {"a": "old", "b": "old", "gone": "old"}
    for file, text in old.items():
        (place.root / file).write_text(text)
    wanted = change(place, {"a": "new", "b": "new", "gone": None, "made": "new", "z/z": "new"})
    by_hand_after(monkeypatch, module, name, lambda: (place.root / hand).write_text("by hand"))

    with pytest.raises(ConflictError, match=f"{hand} was changed while it was edited"):
        commit(place, wanted, {}, nothing)

    assert lying(place) == {**old, hand: "by hand"}
    assert read(place.journal) is None
    assert not (place.root / "z").exists()


@pytest.mark.parametrize(("module", "name"), MOMENTS)
def test_a_file_that_somebody_removes_meanwhile_is_not_brought_back(
    place: Place, monkeypatch: pytest.MonkeyPatch, module: object, name: str
) -> None:
    for file in ("a", "b"):
        (place.root / file).write_text("old")
    by_hand_after(monkeypatch, module, name, lambda: (place.root / "b").unlink(missing_ok=True))

    with pytest.raises(ConflictError, match="b was changed"):
        write(place, {"a": "new", "b": "new"})

    assert lying(place) == {"a": "old"}


def test_a_new_file_in_the_place_of_a_removed_one_survives_when_the_change_is_taken_back(place: Place) -> None:
    (place.root / "a").write_text("old")

    def fail(_journal: Journal) -> None:
        (place.root / "a").write_text("by hand")
        raise UnavailableError("no room")

    with pytest.raises(UnavailableError):
        commit(place, change(place, {"a": None}), {}, fail)

    assert lying(place) == {"a": "by hand"}


def test_names_of_one_file_are_written_together_and_never_differently(place: Place) -> None:
    (place.root / "a").write_text("old")
    (place.root / "b").symlink_to("a")

    with pytest.raises(ConflictError, match="a and b lead to one file"):
        write(place, {"a": "one", "b": "other"})
    assert lying(place) == {"a": "old", "b": "old"}

    recorded: list[str] = []
    both = change(place, {"a": "new", "b": "new"})
    commit(place, both, {}, lambda journal: recorded.extend(step.path for step in journal.steps))

    assert lying(place) == {"a": "new", "b": "new"}
    assert (place.root / "b").is_symlink()
    assert recorded == ["a", "b"]


def test_mode_stays_and_a_new_file_is_closed_to_others(place: Place) -> None:
    (place.root / "a").write_text("old")
    (place.root / "a").chmod(0o600)

    write(place, {"a": "new", "b": "new"})

    assert stat.S_IMODE((place.root / "a").stat().st_mode) == 0o600
    assert stat.S_IMODE((place.root / "b").stat().st_mode) == 0o640
    assert stat.S_IMODE(place.closed.stat().st_mode) == 0o640


def test_a_link_stays_a_link_and_its_file_is_written(place: Place) -> None:
    (place.root / "shared").write_text("old")
    (place.root / "sub").mkdir()
    (place.root / "sub/link").symlink_to("../shared")

    write(place, {"sub/link": "new"})
    assert (place.root / "sub/link").is_symlink()
    assert (place.root / "shared").read_text() == "new"

    write(place, {"sub/link": None})
    assert lying(place) == {"shared": "new"}


def test_nothing_is_written_outside_of_the_root(place: Place) -> None:
    (place.state / "secret").write_text("old")
    (place.root / "link").symlink_to(place.state / "secret")

    for path in ("link", "../state/secret", "."):
        with pytest.raises(ConflictError, match="leads out of"):
            commit(place, {path: FileChange(None, b"new")}, {}, nothing)

    assert (place.state / "secret").read_text() == "old"


def test_a_name_as_long_as_names_can_be_is_written(place: Place) -> None:
    name = "n" * 250 + ".yaml"

    write(place, {name: "new"})

    assert lying(place) == {name: "new"}


def test_what_cannot_be_recorded_is_taken_back(place: Place) -> None:
    (place.root / "changed").write_text("old")
    (place.root / "link").symlink_to("changed")
    (place.root / "removed").write_text("old")
    (place.root / "removed").chmod(0o604)

    def fail(_journal: Journal) -> None:
        assert lying(place)["changed"] == "new"
        raise UnavailableError("no room")

    with pytest.raises(UnavailableError, match="no room"):
        commit(place, change(place, {"changed": "new", "removed": None, "link": None, "sub/new": "x"}), {}, fail)

    assert lying(place) == {"changed": "old", "link": "old", "removed": "old"}
    assert (place.root / "link").is_symlink()
    assert stat.S_IMODE((place.root / "removed").stat().st_mode) == 0o604
    assert not (place.root / "sub").exists()
    assert recover(place, nothing) == ()


def test_an_error_of_the_disk_says_that_nothing_was_changed_and_what_to_do(place: Place) -> None:
    (place.root / "folder").write_text("a file where a folder is needed")

    with pytest.raises(UnavailableError, match=r"nothing was changed: .*folder") as caught:
        commit(place, {"a": FileChange(None, b"new"), "folder/b": FileChange(None, b"new")}, {}, nothing)

    assert caught.value.hint
    assert list(lying(place)) == ["folder"]
    assert list(place.state.iterdir()) == []


def test_an_interrupted_change_is_finished_and_recorded(place: Place) -> None:
    (place.root / "changed").write_text("old")
    (place.root / "removed").write_text("old")
    interrupted(place, {"changed": ("old", "new"), "removed": ("old", None), "sub/made": (None, "new")})
    recorded: list[object] = []

    assert recover(place, lambda journal: recorded.append(journal.note["uid"])) == ()

    assert lying(place) == {"changed": "new", "sub/made": "new"}
    assert recorded == ["1"]
    assert recover(place, lambda journal: recorded.append(journal.note["uid"])) == ()
    assert recorded == ["1"]


def test_what_somebody_wrote_since_is_left_alone_and_named(place: Place) -> None:
    (place.root / "mine").write_text("by hand")
    (place.root / "done").write_text("new")
    interrupted(place, {"mine": ("old", "new"), "done": ("old", "new"), "gone": ("old", "new")})

    assert recover(place, nothing) == ("mine", "gone")

    assert lying(place) == {"mine": "by hand", "done": "new"}
    assert read(place.journal) is None


def test_a_change_over_an_interrupted_one_is_refused_until_that_is_finished(place: Place) -> None:
    interrupted(place, {"a": (None, "first")})

    with pytest.raises(UnavailableError, match="not finished"):
        write(place, {"b": "second"})
    recover(place, nothing)
    write(place, {"b": "second"})

    assert lying(place) == {"a": "first", "b": "second"}


def test_a_draft_is_no_change_and_all_that_it_names_is_removed(place: Place) -> None:
    step = Step("sub/a", "sub/a", None, b"new")
    place.draft.write_bytes(encode(Journal((step,), ("sub",), {})))
    (place.root / "sub").mkdir()
    (place.root / "sub/.prov-new.0").write_text("ne")

    assert recover(place, nothing) == ()

    assert list(place.root.iterdir()) == list(place.state.iterdir()) == []


def test_a_draft_that_is_cut_off_is_removed(place: Place) -> None:
    place.draft.write_text('{"version": 1, "st')

    assert recover(place, nothing) == ()
    assert list(place.state.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"version": 99}', '{"version": 1, "steps": [{}]}'])
def test_a_damaged_journal_is_named_and_kept(place: Place, text: str) -> None:
    place.journal.write_text(text)

    with pytest.raises(IntegrityError, match="journal cannot be read") as caught:
        recover(place, nothing)

    assert str(place.journal) in (caught.value.hint or "")
    assert place.journal.read_text() == text


def test_a_journal_keeps_every_byte(place: Place) -> None:
    steps = (Step("a", "b", None, bytes(range(256))), Step("c", "c", "0" * 64, None))
    journal = Journal(steps, ("x", "x/y"), {"uid": "1", "time": 1.5, "undoes": None})
    place.journal.write_bytes(encode(journal))

    found = read(place.journal)

    assert found is not None
    assert (found.steps, found.folders, found.note) == (journal.steps, journal.folders, journal.note)


def test_every_commit_leaves_another_mark_also_one_that_was_taken_back(place: Place) -> None:
    def fail(_journal: Journal) -> None:
        raise NotFoundError("no")

    marks = [mark(place)]
    for number in range(3):
        write(place, {"a": str(number)})
        marks.append(mark(place))
    with pytest.raises(NotFoundError):
        commit(place, change(place, {"a": "x"}), {}, fail)
    marks.append(mark(place))

    assert len(set(marks)) == 5
