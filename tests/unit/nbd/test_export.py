from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import IntegrityError
from provisioner.nbd.export import Export, Part, pieces


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5), st.data())
def test_pieces_of_the_parts_make_up_any_stretch(sizes: list[int], data: st.DataObject) -> None:
    parts, start = [], 0
    for size in sizes:
        parts.append(bytes(range(start, start + size)))
        start += size
    whole = b"".join(parts)
    offset = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, len(whole) - offset))

    found = b"".join(parts[index][begin : begin + count] for index, begin, count in pieces(sizes, offset, length))

    assert found == whole[offset : offset + length]


def part(path: Path, content: bytes) -> Part:
    path.write_bytes(content)
    return Part(path, len(content))


async def test_an_export_reads_across_its_files(tmp_path: Path) -> None:
    export = Export([part(tmp_path / "a", b"one two "), part(tmp_path / "b", b"three")])
    with ThreadPoolExecutor(1) as threads:
        assert export.size == 13
        assert await export.read(4, 7, threads) == b"two thr"
        assert await export.read(0, 13, threads) == b"one two three"
    export.close()


async def test_a_file_that_became_shorter_is_an_error_and_no_zeros(tmp_path: Path) -> None:
    export = Export([part(tmp_path / "a", b"one two ")])
    (tmp_path / "a").write_bytes(b"one")
    with ThreadPoolExecutor(1) as threads, pytest.raises(OSError, match="shorter"):
        await export.read(0, 8, threads)
    export.close()


def test_a_file_of_another_size_is_not_served(tmp_path: Path) -> None:
    written = part(tmp_path / "a", b"one two ")

    with pytest.raises(IntegrityError, match="has not the 9 bytes"):
        Export([Part(written.path, 9)])


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="gone cannot be read"):
        Export([part(tmp_path / "a", b"here"), Part(tmp_path / "gone", 1)])
