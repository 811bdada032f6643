from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioner.errors import UnavailableError
from provisioner.lab.serial import Line, SerialLog, plain


@pytest.fixture
def log(tmp_path: Path) -> SerialLog:
    return SerialLog(tmp_path / "serial.raw", clock=lambda: 7.0)


def append(log: SerialLog, octets: bytes) -> None:
    with log.path.open("ab") as stream:
        stream.write(octets)


def test_only_complete_lines_are_returned_and_each_one_once(log: SerialLog) -> None:
    append(log, b"one\ntw")
    first = log.read()
    append(log, b"o\nthree")
    second = log.read()

    assert first == [Line(7.0, "one")]
    assert second == [Line(7.0, "two")]
    assert log.unfinished == "three"
    assert log.read() == []


def test_a_machine_that_has_not_written_yet_has_an_empty_log(log: SerialLog) -> None:
    assert log.read() == []
    assert log.text() == ""


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"\x1b[0;1miPXE 1.0\x1b[0m --\r", "iPXE 1.0 --"),
        (b"\x1b[2J\x1b[01;01HBdsDxe: loading", "BdsDxe: loading"),
        (b"\x1b[?7l\x1b(Bready  ", "ready"),
        (b"caf\xc3\xa9 \xff\tx\x07", "caf\u00e9 \ufffd\tx"),
    ],
    ids=["colours", "cursor", "modes", "not-utf-8"],
)
def test_a_line_reads_as_on_a_terminal(octets: bytes, text: str) -> None:
    assert plain(octets) == text


def test_a_pattern_is_found_in_a_line_without_an_end(log: SerialLog) -> None:
    append(log, b"old\nConfiguring (net0)...")

    assert log.wait_for(r"Configuring \((\w+)\)", 0)[1] == "net0"


def test_waiting_in_vain_shows_the_end_of_the_log(log: SerialLog) -> None:
    append(log, b"\n".join(b"line %d" % number for number in range(100)))

    with pytest.raises(UnavailableError, match="did not come within 0 s") as failed:
        log.wait_for("login:", 0)

    assert "line 80" in failed.value.message
    assert "line 79" not in failed.value.message


def test_waiting_stops_when_the_machine_ended_but_reads_its_last_words(log: SerialLog) -> None:
    append(log, b"panic")

    assert log.wait_for("panic", 60, running=lambda: False)[0] == "panic"
    with pytest.raises(UnavailableError, match="had not come when the machine ended"):
        log.wait_for("login:", 60, running=lambda: False)


def test_a_line_without_end_does_not_fill_the_memory(log: SerialLog) -> None:
    append(log, b"x" * (1 << 20))

    lines = log.read()

    assert sum(len(line.text) for line in lines) + len(log.unfinished) == 1 << 20
    assert len(log.unfinished) <= 1 << 14


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=60), max_size=8))
def test_the_text_does_not_depend_on_how_it_was_cut(tmp_path: Path, pieces: list[bytes]) -> None:
    whole, cut = SerialLog(tmp_path / "whole"), SerialLog(tmp_path / "cut")
    whole.path.write_bytes(b"".join(pieces))
    cut.path.write_bytes(b"")
    for piece in pieces:
        append(cut, piece)
        cut.read()
    whole.read()

    assert cut.text() == whole.text()
