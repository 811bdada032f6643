"""Trees that travel: archive and list there, the same tree here."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from provisioner.errors import IntegrityError
from provisioner.image import manifest, trees
from provisioner.image.trees import Known
from tests.support.oci import CAPABILITY

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("zstd")]


def sample(root: Path) -> Path:
    """A tree with one of everything."""
    for name in ("etc", "usr/bin", "dev", "var/ro"):
        (root / name).mkdir(parents=True)
    (root / "usr/bin/su").write_bytes(b"su")
    (root / "usr/bin/ping").write_bytes(b"ping" * 1000)
    (root / "usr/bin/same").hardlink_to(root / "usr/bin/ping")
    (root / "bin").symlink_to("usr/bin")
    (root / "bin2").hardlink_to(root / "bin")
    (root / "etc/empty").touch()
    (root / "etc/evil\x1b\udcff\n").write_text("odd name")
    (root / ("n" * 180)).write_text("long name")
    (root / "var/ro/file").write_text("in a folder that nobody may write")
    os.mknod(root / "dev/null", 0o20666, os.makedev(1, 3))
    os.mknod(root / "dev/disk", 0o60660, os.makedev(8, 17))
    os.mkfifo(root / "var/pipe")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(root / "var/s"))
    os.chown(root / "usr/bin/su", 0, 4_000_000)
    (root / "usr/bin/su").chmod(0o4755)
    os.setxattr(root / "usr/bin/ping", "security.capability", CAPABILITY)
    os.setxattr(root / "etc", "user.note", b"\0\xff")
    os.lchown(root / "bin", 7, 8)
    (root / "var/ro").chmod(0o555)
    for path in [*root.rglob("*"), root]:
        os.utime(path, (1_600_000_000, 1_600_000_000), follow_symlinks=False)
    return root


def times(root: Path) -> dict[str, int]:
    return {str(path.relative_to(root)): int(path.lstat().st_mtime) for path in [root, *root.rglob("*")]}


def sent(root: Path, folder: Path, known: Known | None = None) -> tuple[Path, Path]:
    """The archive and the list of a tree."""
    folder.mkdir()
    manifest.write(root, folder / "list")
    trees.pack(root, folder / "list", folder / "tree.tar.zst", known or Known())
    return folder / "tree.tar.zst", folder / "list"


def received(archive: Path, listing: Path, place: Path, known: Known | None = None) -> Path:
    trees.unpack(archive, listing, place, known or Known())
    return place


def test_a_tree_arrives_as_it_was_with_its_times(tmp_path: Path) -> None:
    root = sample(tmp_path / "root")

    place = received(*sent(root, tmp_path / "sent"), tmp_path / "here")

    assert manifest.write(place, tmp_path / "again").tree == manifest.write(root, tmp_path / "first").tree
    assert times(place) == times(root)


def test_equal_trees_give_equal_bytes(tmp_path: Path) -> None:
    root = sample(tmp_path / "root")
    subprocess.run(["cp", "-a", root, tmp_path / "copy"], check=True)

    first, second = sent(root, tmp_path / "a")[0], sent(tmp_path / "copy", tmp_path / "b")[0]

    assert first.read_bytes() == second.read_bytes()


def test_an_archive_is_one_that_tar_reads(tmp_path: Path) -> None:
    archive, _ = sent(sample(tmp_path / "root"), tmp_path / "sent")

    listed = subprocess.run(["tar", "--zstd", "-tvf", archive], capture_output=True, text=True, check=True).stdout

    assert "usr/bin/same link to usr/bin/ping" in listed
    assert "-rwsr-xr-x" in listed


def test_files_that_the_receiver_has_are_left_out_and_taken_from_there(tmp_path: Path) -> None:
    root = sample(tmp_path / "root")
    base = tmp_path / "base"
    base.mkdir()
    (base / "elsewhere").write_bytes(b"ping" * 1000)
    manifest.write(base, tmp_path / "base-list")
    known = Known(base, tmp_path / "base-list")
    (tmp_path / "plain").mkdir()
    archive, listing = sent(root, tmp_path / "sent", known)
    subprocess.run(["tar", "--zstd", "-xf", archive, "-C", tmp_path / "plain", "usr/bin/ping"], check=True)
    assert (tmp_path / "plain/usr/bin/ping").read_bytes() == b""

    place = received(archive, listing, tmp_path / "here", known)

    assert (place / "usr/bin/ping").read_bytes() == b"ping" * 1000
    assert manifest.write(place, tmp_path / "again").tree == manifest.write(root, tmp_path / "first").tree


def test_a_file_of_the_receiver_that_was_damaged_is_noticed(tmp_path: Path) -> None:
    root = sample(tmp_path / "root")
    base = Path(shutil.copytree(root / "usr", tmp_path / "base"))
    manifest.write(base, tmp_path / "base-list")
    known = Known(base, tmp_path / "base-list")
    archive, listing = sent(root, tmp_path / "sent", known)
    (base / "bin/ping").write_bytes(b"gnip" * 1000)

    with pytest.raises(IntegrityError, match="usr/bin/ping in the archive of the tree is not what its list says"):
        received(archive, listing, tmp_path / "here", known)


Line = dict[str, Any]


def rewritten(listing: Path, change: Callable[[list[Line]], object]) -> None:
    lines = [json.loads(line) for line in listing.read_text().splitlines()]
    change(lines)
    listing.write_text("".join(json.dumps(line) + "\n" for line in lines))


def entry(lines: list[Line], path: str) -> Line:
    return next(line for line in lines if line["path"] == path)


HOSTILE: dict[str, Callable[[list[Line]], object]] = {
    "dot-dot": lambda lines: entry(lines, "usr/bin/su").update(path="../pwned"),
    "dot-dot inside": lambda lines: entry(lines, "usr/bin/su").update(path="usr/../../pwned"),
    "absolute": lambda lines: entry(lines, "usr/bin/su").update(path=f"/pwned-{uuid4()}"),
    "through a link": lambda lines: entry(lines, "usr/bin/su").update(path="bin/pwned"),
    "twice": lambda lines: entry(lines, "usr/bin/su").update(path="usr/bin/ping"),
    "no parent": lambda lines: entry(lines, "usr/bin/su").update(path="nowhere/su"),
    "hard link outside": lambda lines: entry(lines, "usr/bin/same").update(target="../../outside/secret"),
    "a kind that is none": lambda lines: entry(lines, "usr/bin/su").update(type="door"),
    "an owner that is none": lambda lines: entry(lines, "usr/bin/su").update(uid="root"),
    "a mode that is none": lambda lines: entry(lines, "usr/bin/su").update(mode="rwx"),
    "another content": lambda lines: entry(lines, "usr/bin/su").update(sha256="0" * 64),
    "another size": lambda lines: entry(lines, "usr/bin/su").update(size=1),
    "NUL": lambda lines: entry(lines, "usr/bin/su").update(path="usr/bin/a\0b"),
    "no path": lambda lines: lines[3].pop("path"),
    "too short": lambda lines: lines.pop(5),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_list_that_lies_reaches_nothing_outside(tmp_path: Path, change: Callable[[list[Line]], object]) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("secret")
    archive, listing = sent(sample(tmp_path / "root"), tmp_path / "sent")
    rewritten(listing, change)
    # A list and an archive that agree are what a hostile sender would make.
    names = [json.loads(line).get("path", "?") for line in listing.read_text().splitlines()]
    subprocess.run(["zstd", "-dqf", archive, "-o", tmp_path / "plain.tar"], check=True)
    with tarfile.open(tmp_path / "plain.tar") as old, tarfile.open(tmp_path / "new.tar", "w") as new:
        for name, member in zip(names, old.getmembers(), strict=False):
            content = old.extractfile(member) if member.isreg() else None
            member.name = name
            new.addfile(member, content)
    subprocess.run(["zstd", "-qf", tmp_path / "new.tar", "-o", archive], check=True)
    before = sorted(path.name for path in tmp_path.iterdir())

    with pytest.raises(IntegrityError):
        received(archive, listing, tmp_path / "here")

    assert {path.name for path in tmp_path.iterdir()} - {"here"} == set(before)
    assert not list(Path("/").glob("pwned*"))
    assert [path.read_text() for path in (tmp_path / "outside").iterdir()] == ["secret"]


@pytest.mark.parametrize("kept", [0, 10, 200, -20])
def test_an_archive_that_was_cut_short_gives_no_tree(tmp_path: Path, kept: int) -> None:
    archive, listing = sent(sample(tmp_path / "root"), tmp_path / "sent")
    archive.write_bytes(archive.read_bytes()[:kept])

    with pytest.raises(IntegrityError):
        received(archive, listing, tmp_path / "here")
