"""The table of quirks: every row has its evidence, and names that stay."""

from __future__ import annotations

from provisioner.boot.quirks import QUIRKS


def test_every_row_says_whom_it_is_about_and_where_that_was_seen() -> None:
    assert len({each.name for each in QUIRKS}) == len(QUIRKS)
    assert all(each.match and each.effect and len(each.evidence) > 20 for each in QUIRKS)
