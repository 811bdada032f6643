"""How log lines look to people, programs and journald."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner import log
from provisioner.events.logged import LoggedSink
from provisioner.log import Style
from provisioner.model.event import Event, Level, Stage

LOGGER = logging.getLogger("provisioner.test")


@pytest.fixture(autouse=True)
def root() -> Iterator[None]:
    """The root logger is put back as it was."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before


def event(name: str = "dhcp.nak", level: Level = Level.WARNING, message: str = "no") -> Event:
    return Event(1.0, Stage.DHCP, name, message, level, "52:54:00:00:00:01", "n001", "b1", "10.0.1.1")


def test_a_json_line_has_the_fields_of_an_event_apart(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(style=Style.JSON)

    LoggedSink(lambda _: None, lambda: 0.0)(event())

    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert told.pop("time") > 0
    assert told == {
        "level": "warning",
        "logger": "provisioner.events",
        "message": "n001 dhcp.nak: no",
        "event": "dhcp.nak",
        "node": "n001",
        "boot": "b1",
        "mac": "52:54:00:00:00:01",
        "address": "10.0.1.1",
    }


def test_an_exception_stays_inside_its_json_line(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(style=Style.JSON)

    try:
        int("bad\nthing")
    except ValueError:
        LOGGER.exception("it failed")

    (line,) = capsys.readouterr().err.splitlines()
    assert r"ValueError: invalid literal for int() with base 10: 'bad\nthing'" in json.loads(line)["exception"]


def test_every_line_for_journald_has_its_priority(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(style=Style.JOURNAL)

    LOGGER.error("first\nsecond")
    LOGGER.info("fine")

    assert capsys.readouterr().err.splitlines() == [
        "<3>provisioner.test: first",
        "<3>second",
        "<6>provisioner.test: fine",
    ]


def test_journald_is_known_by_the_stream_that_it_gave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / "journal").open("w+") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setattr(sys, "stderr", stream)
        for value in (f"{status.st_dev}:{status.st_ino}", f"{status.st_dev}:{status.st_ino + 1}"):
            monkeypatch.setenv("JOURNAL_STREAM", value)
            log.configure(style=Style.AUTO)
            LOGGER.warning("hello")
        stream.seek(0)
        lines = stream.read().splitlines()

    assert lines[0] == "<4>provisioner.test: hello"
    assert lines[1].endswith("WARNING provisioner.test: hello")
    assert not capsys.readouterr().err


def test_every_event_is_passed_on_and_ordinary_ones_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    passed: list[Event] = []
    events = [
        event("dhcp.ack", Level.INFO),
        event("ready", Level.INFO),
        event(),
        event("site.broken", Level.FAILURE),
    ]
    sink = LoggedSink(passed.append, lambda: 0.0)

    for each in events:
        sink(each)

    assert passed == events
    assert [record.getMessage().split()[1] for record in caplog.records] == ["ready:", "dhcp.nak:"]


def test_an_alarm_is_an_error_that_programs_can_tell_apart(caplog: pytest.LogCaptureFixture) -> None:
    LoggedSink(lambda _: None, lambda: 0.0)(event("access.denied", Level.ALARM))

    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert getattr(record, log.FIELDS)["alarm"] is True


def test_what_a_machine_sent_makes_no_line_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    LoggedSink(lambda _: None, lambda: 0.0)(event(message="x\n<0>ERROR all is lost\x1b[2J"))

    assert caplog.records[0].getMessage() == r"n001 dhcp.nak: x\n<0>ERROR all is lost\x1b[2J"


def test_a_flood_is_counted_and_said_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    sink = LoggedSink(lambda _: None, lambda: now[0])
    for _ in range(1000):
        sink(event())
    now[0] = 11.0
    sink(event())

    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 102
    assert told[-2] == "900 more events; prov events shows them"
