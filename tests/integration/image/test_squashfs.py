"""Roots packed and unpacked by the real tools."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from provisioner.errors import ProvisionerError
from provisioner.image.codec import Codec
from provisioner.image.squashfs import codec_of, names, pack
from provisioner.model.image import Packing

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("mksquashfs", "unsquashfs")]

EPOCH = 1_700_000_000


def make_tree(root: Path) -> Path:
    for name in ("boot", "dev", "proc", "run", "sys", "tmp", "usr/bin", "usr/tmp"):
        (root / name).mkdir(parents=True)
    for name in ("boot/vmlinuz", "run/pid", "tmp/x", "usr/bin/tool", "usr/tmp/kept"):
        (root / name).write_text(name * 100)
    os.mknod(root / "dev/null", 0o20666, os.makedev(1, 3))
    os.utime(root / "usr/bin/tool", (1000, 1000))
    return root


def contents(image: Path) -> set[str]:
    command = ["unsquashfs", "-l", "-d", "", str(image)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {line.strip("/") for line in done.stdout.splitlines() if line.startswith("/")}


@pytest.mark.parametrize("codec", list(Codec))
def test_the_root_is_packed_with_the_codec_that_is_asked_for(tmp_path: Path, codec: Codec) -> None:
    pack(make_tree(tmp_path / "tree"), tmp_path / "root", codec=codec, epoch=EPOCH)

    assert codec_of(tmp_path / "root") is codec


def test_what_a_node_gets_elsewhere_is_left_out_and_the_folders_stay(tmp_path: Path) -> None:
    pack(make_tree(tmp_path / "tree"), tmp_path / "root", codec=Codec.ZSTD, epoch=EPOCH)

    folders = {"boot", "dev", "proc", "run", "sys", "tmp", "usr", "usr/bin", "usr/tmp"}
    assert contents(tmp_path / "root") - {""} == folders | {"usr/bin/tool", "usr/tmp/kept"}


def test_the_same_content_gives_the_same_bytes_whenever_it_was_made(tmp_path: Path) -> None:
    for name, time in (("one", EPOCH + 10), ("two", EPOCH + 999)):
        tree = make_tree(tmp_path / name)
        for path in (tree, *(each for each in tree.rglob("*") if each.name != "tool")):
            os.utime(path, (time, time))
        pack(tree, tmp_path / f"{name}.img", codec=Codec.ZSTD, epoch=EPOCH)

    assert (tmp_path / "one.img").read_bytes() == (tmp_path / "two.img").read_bytes()


def test_another_file_system_has_no_codec(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"hsqs" + bytes(100))

    assert codec_of(tmp_path / "file") is None


KEPT = ("opt/-comp", "opt/.kept", "opt/.*")
HIDDEN = ("usr/share/doc/.hidden", "opt/.z.pyc", "boot/.vmlinuz.hmac")


def test_patterns_leave_out_places_and_names(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree")
    for name in ("usr/share/doc/a/b", "opt/usr/share/doc/c", "usr/x.pyc", "opt/deep/y.pyc", *KEPT, *HIDDEN):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).touch()

    packing = Packing(excludes=("/usr/share/doc/*", "*.pyc"))
    pack(tree, tmp_path / "root", codec=Codec.ZSTD, epoch=EPOCH, packing=packing)

    found = names(tmp_path / "root")
    assert {"/usr/share/doc", "/opt/usr/share/doc/c", "/opt/deep", *(f"/{name}" for name in KEPT)} <= found
    assert not {"/usr/share/doc/a", "/usr/x.pyc", "/opt/deep/y.pyc", *(f"/{name}" for name in HIDDEN)} & found


@pytest.mark.parametrize("pattern", ["", "/", "../x", "a/../b", "a\nb", "a b", "-e;x", "/a//b"])
def test_what_is_no_pattern_is_refused(tmp_path: Path, pattern: str) -> None:
    packing = Packing(excludes=(pattern,))

    with pytest.raises(ProvisionerError, match="cannot be excluded"):
        pack(make_tree(tmp_path / "tree"), tmp_path / "root", codec=Codec.ZSTD, epoch=EPOCH, packing=packing)


def test_every_way_of_packing_reads_the_same_and_streamed_roots_have_small_blocks(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree")
    ways = {"quick": Packing(), "thorough": Packing(profile="release"), "streamed": Packing(streamed=True)}
    for name, packing in ways.items():
        pack(tree, tmp_path / name, codec=Codec.ZSTD, epoch=EPOCH, packing=packing)

    assert names(tmp_path / "quick") == names(tmp_path / "thorough") == names(tmp_path / "streamed")
    # The block size of struct squashfs_super_block, in bytes.
    blocks = {name: int.from_bytes((tmp_path / name).read_bytes()[12:16], "little") for name in ways}
    assert blocks == {"quick": 1 << 20, "thorough": 1 << 20, "streamed": 128 << 10}
