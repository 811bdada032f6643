from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.support.guard import TouchesMachineError


def test_a_unit_test_cannot_start_a_program() -> None:
    with pytest.raises(TouchesMachineError, match="started or signalled a program"):
        subprocess.run(["true"], check=False)


def test_a_unit_test_cannot_fork() -> None:
    with pytest.raises(TouchesMachineError):
        os.fork()


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_PACKET])
def test_a_unit_test_cannot_open_a_network_socket(family: socket.AddressFamily) -> None:
    with pytest.raises(TouchesMachineError, match="used a socket"):
        socket.socket(family, socket.SOCK_DGRAM)


def test_a_unit_test_cannot_listen_on_a_unix_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, pytest.raises(TouchesMachineError):
        listener.bind(str(tmp_path / "socket"))


def test_a_unit_test_cannot_write_outside_its_folder() -> None:
    with pytest.raises(TouchesMachineError, match="wrote to /etc/written-by-a-test"):
        Path("/etc/written-by-a-test").write_text("")


def test_a_link_in_its_folder_does_not_let_a_unit_test_out(tmp_path: Path) -> None:
    (tmp_path / "way-out").symlink_to("/etc")

    with pytest.raises(TouchesMachineError, match="wrote to /etc/written-by-a-test"):
        (tmp_path / "way-out" / "written-by-a-test").write_text("")


def test_a_unit_test_cannot_remove_or_rename_what_is_not_its_own(tmp_path: Path) -> None:
    with pytest.raises(TouchesMachineError):
        Path("/etc/hostname").unlink()
    with pytest.raises(TouchesMachineError):
        Path("/etc/hostname").rename(tmp_path / "hostname")


def test_a_unit_test_writes_freely_below_tmp_path(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("text")
    with sqlite3.connect(tmp_path / "events.sqlite") as database:
        database.execute("create table event (time real)")
    database.close()

    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.sqlite", "folder"]


@pytest.mark.parametrize("name", ["/etc/events.sqlite", "file:/etc/events.sqlite?mode=rwc"])
def test_a_unit_test_cannot_open_a_database_outside_its_folder(name: str) -> None:
    with pytest.raises(TouchesMachineError, match=r"wrote to /etc/events\.sqlite"):
        sqlite3.connect(name, uri=True)


def test_a_unit_test_may_keep_a_database_in_memory_or_below_tmp_path(tmp_path: Path) -> None:
    for name in (":memory:", f"file:{tmp_path}/events.sqlite?mode=rwc"):
        sqlite3.connect(name, uri=True).close()


async def test_asyncio_works_in_a_unit_test() -> None:
    await asyncio.sleep(0)
