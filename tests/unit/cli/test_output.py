"""How commands print."""

from __future__ import annotations

import json

import pytest
import yaml

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


@pytest.mark.parametrize(("files", "text"), [((), "nothing to change\n"), (("a", "b"), "wrote a\nwrote b\n")])
def test_an_edit_names_its_files(capsys: pytest.CaptureFixture[str], files: tuple[str, ...], text: str) -> None:
    output.say_written(files, "")

    assert capsys.readouterr() == (text, "")


def test_an_edit_that_is_not_served_says_why_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    output.say_written(("a",), "2 mistakes in the site; see prov check")

    assert capsys.readouterr() == (
        "wrote a\n",
        "warning: written, but not served: 2 mistakes in the site; see prov check\n",
    )
