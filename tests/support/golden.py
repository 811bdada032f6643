"""Whole expected texts, kept in tests/golden and readable in review."""

from __future__ import annotations

from pathlib import Path

import pytest


class Golden:
    """Compares a text with the file of that name below tests/golden, or rewrites the file."""

    def __init__(self, folder: Path, *, update: bool) -> None:
        self._folder = folder
        self._update = update

    def __call__(self, name: str, text: str) -> None:
        """Fail unless the text is what the golden file holds.

        A rewritten file fails the test all the same, so that no run can bless itself.
        """
        path = self._folder / name
        expected = path.read_text() if path.is_file() else None
        if expected != text and self._update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            pytest.fail(f"{path} is rewritten; read the difference and run the tests again")
        assert expected is not None, f"{path} does not exist; make it with pytest --update-golden"
        assert text == expected, f"{path} says otherwise; rewrite it with pytest --update-golden"
