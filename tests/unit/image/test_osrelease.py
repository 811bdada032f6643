from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from provisioner.image.osrelease import OsRelease, parse, read

ROCKY = 'NAME="Rocky Linux"\nID="rocky"\nVERSION_ID="9.6"\nPRETTY_NAME="Rocky Linux 9.6 (Blue Onyx)"\n'


def test_a_link_to_the_file_is_followed_inside_the_image(tmp_path: Path) -> None:
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "etc").mkdir()
    (tmp_path / "usr/lib/os-release").write_text(ROCKY)
    (tmp_path / "etc/os-release").symlink_to("/usr/lib/os-release")

    assert read(tmp_path) == OsRelease("Rocky Linux 9.6 (Blue Onyx)", "rocky", "9.6")


def test_the_vendor_file_is_read_where_etc_has_none(tmp_path: Path) -> None:
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/os-release").write_text("ID=toy\n")

    assert read(tmp_path) == OsRelease("unknown", "toy", "")


def test_a_tree_that_does_not_say_is_unknown(tmp_path: Path) -> None:
    assert read(tmp_path) == OsRelease("unknown", "unknown", "")


def test_quotes_and_comments_are_understood() -> None:
    text = '# ID=wrong\n\nID=\'centos\'\nVERSION_ID=7\nNAME="CentOS \\"Linux\\""\n'

    assert parse(text) == OsRelease('CentOS "Linux"', "centos", "7")


def test_control_characters_do_not_reach_a_terminal() -> None:
    assert parse('PRETTY_NAME="a\x1b[31mb"\nID=x\n').name == "a[31mb"


@given(st.text())
def test_any_text_gives_an_answer(text: str) -> None:
    assert parse(text).name
