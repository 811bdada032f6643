"""How commands print."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from provisioner.cli import output
from provisioner.config.emit import Writable
from provisioner.errors import Problem

ROWS: list[dict[str, Writable]] = [
    {"name": "n1", "groups": ["a", "b"], "image": None, "hidden": True},
    {"name": "n002", "groups": [], "image": "debian-12", "hidden": {"a": "b"}},
]


def test_a_table_in_a_pipe_is_plain_and_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    output.write_rows(ROWS, "table", ["name", "groups", "image"])

    assert capsys.readouterr().out == "NAME  GROUPS  IMAGE\nn1    a b     -\nn002  -       debian-12\n"


def test_an_empty_table_is_its_head(capsys: pytest.CaptureFixture[str]) -> None:
    output.write_rows([], "table", ["name"])

    assert capsys.readouterr().out == "NAME\n"


def test_a_table_on_a_terminal_shows_brackets_as_they_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)

    output.table(["NODES"], [["n[1-4]"]])

    assert "n[1-4]" in capsys.readouterr().out


def test_json_and_yaml_have_everything(capsys: pytest.CaptureFixture[str]) -> None:
    output.write_rows(ROWS, "json", ["name"])
    assert json.loads(capsys.readouterr().out) == ROWS

    output.write_rows(ROWS, "yaml", ["name"])
    assert yaml.safe_load(capsys.readouterr().out) == ROWS


def test_a_record_is_lines_or_data(capsys: pytest.CaptureFixture[str]) -> None:
    output.write_record({"name": "g", "tags": {"a": "b"}, "n": 3}, "table")
    assert capsys.readouterr().out == "name  g\ntags  a=b\nn     3\n"

    output.write_record({"name": "g"}, "yaml")
    assert capsys.readouterr().out == "name: g\n"


def test_problems_and_warnings_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    output.problems([Problem("a.yaml", 1, 2, "wrong", "right")])
    output.warn_of_problems(2)
    output.warn_of_problems(0)

    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "a.yaml:1:2: wrong\n    hint: right\nwarning: 2 problems in the site; see prov check\n"


def test_what_is_written_and_not_served_is_told_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    output.warn_of_unserved("written", "2 mistakes in the site; see prov check")
    output.warn_of_unserved("written", "")

    assert capsys.readouterr() == (
        "",
        "warning: written, but not served: 2 mistakes in the site; see prov check\n",
    )


def test_a_long_table_on_a_terminal_is_not_drawn(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)

    output.table(["A", "B"], [[str(number), "x"] for number in range(1000)])

    assert capsys.readouterr().out.splitlines()[:2] == ["A    B", "0    x"]


def test_characters_that_a_terminal_obeys_are_shown_and_not_sent(capsys: pytest.CaptureFixture[str]) -> None:
    output.write_rows([{"a": "x\x1b[31m\ny", "b": ["\u202e", "é"]}], "table", ("a", "b"))

    assert capsys.readouterr().out == "A             B\nx\\x1b[31m\\ny  \\u202e é\n"


def test_programs_get_every_character_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    output.write_rows([{"a": "x\x1b\ny"}], "json", ("a",))

    assert json.loads(capsys.readouterr().out) == [{"a": "x\x1b\ny"}]


@given(st.text())
def test_what_is_said_has_nothing_in_it_that_is_not_printable(text: str) -> None:
    assert output.printable(text).isprintable()
    assert output.printable(text, keep="\n").replace("\n", "").isprintable()
