from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.golden import Golden


def test_the_same_text_passes_and_another_one_fails(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("as expected\n")
    golden = Golden(tmp_path, update=False)

    golden("text", "as expected\n")
    with pytest.raises(AssertionError, match="rewrite it with pytest --update-golden"):
        golden("text", "another\n")


def test_a_rewritten_file_fails_the_run_all_the_same(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="is rewritten"):
        Golden(tmp_path, update=True)("folder/text", "new\n")

    Golden(tmp_path, update=False)("folder/text", "new\n")
