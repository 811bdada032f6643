"""The search for secrets finds them in every form in which they might be kept."""

from __future__ import annotations

import sqlite3
import zlib
from base64 import b64encode
from contextlib import closing
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.support.traces import files_below, traces

SECRET = b"correct horse \xff\0"


@given(st.binary(max_size=9), st.binary(max_size=9))
def test_a_secret_is_found_plain_in_hexadecimal_and_inside_of_longer_base64(before: bytes, after: bytes) -> None:
    whole = before + SECRET + after

    for kept in (whole, whole.hex().encode(), whole.hex().upper().encode(), b64encode(whole)):
        assert traces({"s": SECRET}, [("x", b"-" + kept + b"-")]) == ["x: s"]


def test_nothing_is_found_where_nothing_is() -> None:
    assert traces({"s": SECRET}, [("x", b"correct house")]) == []


def test_a_secret_is_found_in_a_packed_value_of_a_database(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "h.sqlite")) as database, database:
        database.execute("CREATE TABLE content (data BLOB)")
        database.execute("INSERT INTO content VALUES (?)", (zlib.compress(SECRET * 9),))

    assert traces({"s": SECRET}, files_below(tmp_path)) == ["h.sqlite (rows): s"]
