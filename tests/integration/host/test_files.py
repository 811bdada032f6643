"""Owners, groups and access lists of files that are replaced; only root can give files away."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from provisioner.host.files import write_synced

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


def test_a_new_file_gets_the_group_of_its_folder(folder: Path) -> None:
    replace(folder / "a")

    assert owners(folder / "a") == (0, STAFF, 0o640)


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
