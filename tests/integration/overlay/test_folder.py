"""Trees written for people to look at: modes as declared, and nothing outside the folder."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from provisioner.archive.tree import Entry, Kind
from provisioner.errors import ConflictError
from provisioner.overlay.folder import write_tree

pytestmark = pytest.mark.integration


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_files_links_and_directories_are_written_with_their_modes(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    tree = [
        Entry("etc/key", Kind.FILE, b"secret", mode=0o400),
        Entry("etc/link", Kind.SYMLINK, b"/nowhere", mode=0o777),
        Entry("srv", Kind.DIRECTORY, mode=0o500),
        Entry("srv/inner", Kind.DIRECTORY, mode=0o700),
        Entry("srv/inner/file", Kind.FILE, b"\xff"),
    ]

    write_tree(tree, folder)

    assert ((folder / "etc/key").read_bytes(), mode(folder / "etc/key")) == (b"secret", 0o400)
    assert (folder / "etc/link").readlink() == Path("/nowhere")
    assert (mode(folder / "srv"), mode(folder / "srv/inner")) == (0o500, 0o700)
    assert (folder / "srv/inner/file").read_bytes() == b"\xff"


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()

    with pytest.raises(ConflictError, match="is not empty"):
        write_tree([Entry("mine", Kind.FILE, b"theirs")], tmp_path)

    assert (tmp_path / "mine").read_bytes() == b""


@pytest.mark.parametrize(
    "beyond",
    [
        Entry("a/b/file", Kind.FILE, b"x"),
        Entry("a/b", Kind.DIRECTORY, mode=0o777),
        Entry("a/file", Kind.SYMLINK, b"x"),
    ],
)
def test_no_link_is_followed_out_of_the_folder(tmp_path: Path, beyond: Entry) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir(mode=0o700)
    link = Entry("a", Kind.SYMLINK, str(outside).encode())

    with pytest.raises(ConflictError, match=f"{beyond.path.rpartition('/')[0]}.* cannot be written"):
        write_tree([link, beyond], folder)

    assert list(outside.iterdir()) == []
    assert mode(outside) == 0o700


def test_a_file_is_not_written_through_a_link_of_its_own_name(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    link = Entry("a", Kind.SYMLINK, str(outside).encode())

    with pytest.raises(ConflictError, match="a cannot be written"):
        write_tree([link, Entry("a", Kind.FILE, b"x")], folder)

    assert not outside.exists()
