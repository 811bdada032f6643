"""The cpio writer, read back by an independent few lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.archive import cpio
from provisioner.archive.tree import Entry, Kind, with_parents


def read(archive: bytes) -> list[tuple[str, int, int, int, bytes]]:
    """Name, mode, uid, gid and content of every member (buffer-format.rst)."""
    found: list[tuple[str, int, int, int, bytes]] = []
    at = 0
    while True:
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        name_at = at + 110
        name = archive[name_at : name_at + fields[11] - 1].decode("utf-8", "surrogateescape")
        data_at = (name_at + fields[11] + 3) & ~3
        if name == "TRAILER!!!":
            return found
        found.append((name, fields[1], fields[2], fields[3], archive[data_at : data_at + fields[6]]))
        at = (data_at + fields[6] + 3) & ~3


paths = st.lists(st.from_regex(r"[a-z0-9_.-]*[a-z0-9]", fullmatch=True), min_size=1, max_size=4).map("/".join)
entries = st.builds(
    Entry,
    path=paths.filter(
        lambda path: ".." not in path.split("/") and not path.startswith("./") and "/./" not in path
    ),
    kind=st.just(Kind.FILE),
    content=st.binary(max_size=70),
    mode=st.integers(0, 0o7777),
    uid=st.integers(0, 0xFFFFFFFF),
    gid=st.integers(0, 0xFFFFFFFF),
)


@given(st.lists(entries, max_size=6))
def test_what_is_packed_reads_back_the_same(chosen: list[Entry]) -> None:
    assert read(cpio.pack(chosen)) == [
        (each.path, each.kind.value | each.mode, each.uid, each.gid, each.content) for each in chosen
    ]


def test_the_same_entries_give_the_same_bytes() -> None:
    chosen = [Entry("a", Kind.FILE, b"x"), Entry("b", Kind.SYMLINK, b"a", mode=0o777)]

    assert cpio.pack(chosen) == cpio.pack(list(chosen))


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/"])
def test_a_path_that_is_not_plainly_inside_the_tree_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not a relative path inside the tree"):
        Entry(path, Kind.FILE)


@pytest.mark.parametrize("path", ["a\0b", "a\nb", "a/\x1b[2J", "a\x7f"])
def test_a_path_with_a_control_character_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="holds a line break or control character"):
        Entry(path, Kind.FILE)


@pytest.mark.parametrize("kind", [Kind.FILE, Kind.SYMLINK])
def test_only_a_directory_can_be_the_root_of_a_tree(kind: Kind) -> None:
    assert Entry(".", Kind.DIRECTORY, mode=0o755).path == "."
    with pytest.raises(ValueError, match="root of the tree is a directory"):
        Entry(".", kind)


def test_a_file_with_the_name_that_ends_an_archive_is_refused() -> None:
    with pytest.raises(ValueError, match="TRAILER!!! is the name that ends an archive"):
        cpio.pack([Entry(cpio.TRAILER, Kind.FILE)])


def test_parents_come_before_what_they_hold() -> None:
    found = with_parents([Entry("etc/ssh/key", Kind.FILE), Entry("etc", Kind.DIRECTORY, mode=0o700)])

    assert [(each.path, each.mode) for each in found] == [
        ("etc", 0o700),
        ("etc/ssh", 0o755),
        ("etc/ssh/key", 0o644),
    ]


@given(st.lists(entries, max_size=6))
def test_what_was_packed_is_unpacked_again(some: list[Entry]) -> None:
    assert cpio.unpack(cpio.pack(some)) == some


@given(st.binary(max_size=300))
def test_what_is_no_archive_of_ours_is_refused_and_nothing_else_happens(noise: bytes) -> None:
    whole = cpio.pack([Entry("a", Kind.FILE, b"x" * 9)])
    for text in (noise, whole[: len(noise) % len(whole)], whole[:110] + noise):
        try:
            cpio.unpack(text)
        except ValueError:
            continue
