"""Owners, groups and access lists of files that are replaced; only root can give files away."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from provisioner.host.files import locked, make_folder, write_atomically, write_synced

pytestmark = [pytest.mark.integration, pytest.mark.root]

ADA, STAFF, NOBODY = 4321, 4322, 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of somebody else's, that everybody may look into, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        os.chown(name, ADA, STAFF)
        Path(name).chmod(0o777)
        yield Path(name)


@contextmanager
def user(uid: int, *groups: int) -> Iterator[None]:
    """Be somebody else for a while."""
    mine = os.getgroups()
    os.setgroups(groups)
    os.setegid(uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(mine)


def owners(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_uid, status.st_gid, status.st_mode & 0o7777


def replace(path: Path) -> None:
    beside = path.with_name("beside")
    write_synced(beside, b"new", like=path, mode=0o640)
    beside.replace(path)


def test_a_file_that_is_replaced_keeps_owner_group_and_mode(folder: Path) -> None:
    path = folder / "a"
    path.write_text("old")
    os.chown(path, ADA, STAFF)
    path.chmod(0o604)

    replace(path)

    assert (path.read_text(), owners(path)) == ("new", (ADA, STAFF, 0o604))


def test_a_new_file_of_roots_belongs_to_owner_and_group_of_its_folder(folder: Path) -> None:
    replace(folder / "a")
    write_atomically(folder / "b", b"b")
    with locked(folder / "lock"):
        pass

    assert owners(folder / "a") == (ADA, STAFF, 0o640)
    assert owners(folder / "b") == (ADA, STAFF, 0o644)
    assert owners(folder / "lock") == (ADA, STAFF, 0o600)


def test_folders_that_root_makes_belong_to_whoever_has_the_one_above(folder: Path) -> None:
    make_folder(folder / "x/y", mode=0o700)
    write_atomically(folder / "p/q/file", b"b")

    assert owners(folder / "x") == owners(folder / "x/y") == (ADA, STAFF, 0o700)
    assert owners(folder / "p")[:2] == owners(folder / "p/q/file")[:2] == (ADA, STAFF)


def test_a_lock_that_root_had_before_is_given_to_the_owner_of_the_folder(folder: Path) -> None:
    (folder / "lock").touch(mode=0o600)

    with locked(folder / "lock"):
        pass

    assert owners(folder / "lock") == (ADA, STAFF, 0o600)


def test_a_member_of_the_group_becomes_the_owner_and_the_group_stays(folder: Path) -> None:
    path = folder / "a"
    path.write_text("old")
    os.chown(path, ADA, STAFF)
    path.chmod(0o660)

    with user(NOBODY, STAFF):
        replace(path)

    assert owners(path) == (NOBODY, STAFF, 0o660)


def test_a_file_whose_group_could_not_stay_is_not_replaced(folder: Path) -> None:
    path = folder / "a"
    path.write_text("old")
    os.chown(path, ADA, STAFF)

    with user(NOBODY), pytest.raises(PermissionError):
        replace(path)

    assert (path.read_text(), owners(path)[:2]) == ("old", (ADA, STAFF))
