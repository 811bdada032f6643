from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import IntegrityError, ProvisionerError
from provisioner.image import tags
from provisioner.image.tags import Marks

NUMBERS = st.integers(1, 9)
NAMES = st.sampled_from(["prod", "next", "old"])


def test_an_image_without_marks_has_none(tmp_path: Path) -> None:
    assert tags.read(tmp_path) == Marks()


@given(st.lists(st.tuples(NAMES, NUMBERS)), st.sets(NUMBERS))
def test_marks_are_read_as_they_were_written(tagged: list[tuple[str, int]], pinned: set[int]) -> None:
    marks = Marks()
    for name, number in tagged:
        marks = marks.tagged(name, number)
    for number in pinned:
        marks = marks.pinned(number)

    assert Marks.model_validate_json(marks.model_dump_json()) == marks
    assert dict(marks.tags) == dict(tagged)
    assert set(marks.pins) == pinned
    for name, number in dict(tagged).items():
        assert name in marks.tags_of(number)
        assert name not in marks.untagged(name).tags
    for number in pinned:
        assert number not in marks.unpinned(number).pins


@pytest.mark.parametrize("tag", ["current", "pinned"])
def test_a_tag_is_not_called_as_another_mark(tag: str) -> None:
    with pytest.raises(ProvisionerError, match="it means something else already"):
        tags.check_tag(tag)


@pytest.mark.parametrize("tag", ["1", "7up", "sha256:ab", "Prod", "a b", "", "a/b", "a" * 64, "a@b"])
def test_what_could_be_taken_for_a_number_or_a_tree_is_no_tag(tag: str) -> None:
    with pytest.raises(ProvisionerError, match="cannot be a tag"):
        tags.check_tag(tag)


def test_marks_that_cannot_be_read_are_named_with_their_file(tmp_path: Path) -> None:
    (tmp_path / "marks.json").write_text('{"tags": 7}')

    with pytest.raises(IntegrityError, match=r"marks\.json does not hold tags and pins"):
        tags.read(tmp_path)
