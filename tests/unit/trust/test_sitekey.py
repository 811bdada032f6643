"""The site key: made once, read for ever, shown never."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.errors import IntegrityError
from provisioner.trust.sitekey import SiteKey


def test_the_key_is_made_at_the_first_start_and_found_again_later(tmp_path: Path) -> None:
    first = SiteKey.load_or_create(tmp_path / "keys").derive("token")

    assert SiteKey.load_or_create(tmp_path / "keys").derive("token") == first


def test_only_its_owner_can_read_the_key(tmp_path: Path) -> None:
    SiteKey.load_or_create(tmp_path / "keys")

    assert (tmp_path / "keys" / "site.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_the_key_does_not_show_itself() -> None:
    key = SiteKey(b"0123456789abcdef0123456789abcdef")

    assert "0123" not in f"{key!r} {key} {[key]}"


def test_purposes_and_contexts_give_unrelated_bytes() -> None:
    key = SiteKey(b"k" * 32)

    derived = {key.derive("a"), key.derive("b"), key.derive("a", "b"), key.derive("a", "b", "")}

    assert len(derived) == 4


def test_a_damaged_key_file_is_an_error_and_is_not_replaced(tmp_path: Path) -> None:
    SiteKey.load_or_create(tmp_path)
    (tmp_path / "site.key").write_text("rubbish\n")

    with pytest.raises(IntegrityError, match=r"site\.key does not hold a site key"):
        SiteKey.load_or_create(tmp_path)

    assert (tmp_path / "site.key").read_text() == "rubbish\n"
