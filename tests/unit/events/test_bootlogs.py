"""What machines logged, kept and thrown away."""

from __future__ import annotations

import gzip
import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import IntegrityError, NotFoundError
from provisioner.events.bootlogs import BootLogs


def test_what_a_machine_sent_is_read_as_text(tmp_path: Path) -> None:
    logs = BootLogs(tmp_path / "logs")
    logs.write("ab12", gzip.compress(b"one\ntwo \xff\n"))

    assert logs.read("ab12") == "one\ntwo \N{REPLACEMENT CHARACTER}\n"


def test_a_boot_that_sent_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        BootLogs(tmp_path).read("ab12")


@pytest.mark.parametrize("boot", ["../events", "", "a/b", "A", "a" * 65])
def test_a_name_that_is_no_id_never_becomes_a_path(tmp_path: Path, boot: str) -> None:
    with pytest.raises(NotFoundError):
        BootLogs(tmp_path).write(boot, b"")

    assert list(tmp_path.rglob("*")) == []


def test_a_small_archive_of_endless_text_is_cut(tmp_path: Path) -> None:
    logs = BootLogs(tmp_path)
    logs.write("ab12", gzip.compress(bytes(64 << 20)))

    assert len(logs.read("ab12")) == 4 << 20


@given(packed=st.binary(max_size=200))
def test_whatever_a_machine_sends_is_text_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, packed: bytes
) -> None:
    logs = BootLogs(tmp_path_factory.getbasetemp() / "hostile")
    logs.write("ab12", packed)

    with suppress(IntegrityError):
        assert isinstance(logs.read("ab12"), str)


def test_old_logs_go_and_of_too_many_the_oldest(tmp_path: Path) -> None:
    logs = BootLogs(tmp_path)
    for number in range(5):
        logs.write(f"b{number}", bytes(100))
        os.utime(tmp_path / f"b{number}.gz", (1000 + number, 1000 + number))

    assert logs.sweep(before=1001) == 1
    assert logs.sweep(before=0, most=250) == 2

    assert sorted(path.name for path in tmp_path.iterdir()) == ["b3.gz", "b4.gz"]
