from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from provisioner.errors import IntegrityError
from provisioner.image import verity
from provisioner.image.kernel import Kernel


@pytest.mark.parametrize(
    ("modules", "built_in", "lacking"),
    [
        (("nbd.ko.xz", "dm-verity.ko"), "", ()),
        (("nbd.ko",), "kernel/drivers/md/dm-verity.ko\n", ()),
        (("nbd.ko",), "", ("dm_verity",)),
        ((), "", ("nbd", "dm_verity")),
    ],
)
def test_a_kernel_needs_nbd_and_dm_verity_as_modules_or_built_in(
    tmp_path: Path, modules: tuple[str, ...], built_in: str, lacking: tuple[str, ...]
) -> None:
    for name in modules:
        (tmp_path / name).touch()
    (tmp_path / "modules.builtin").write_text(built_in)

    assert verity.lacking(Kernel("6.1", tmp_path / "vmlinuz", tmp_path)) == lacking


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_the_tree_of_one_block_is_its_digest_alone(tmp_path: Path) -> None:
    (tmp_path / "root").write_bytes(b"x" * 4096)

    assert verity.write(tmp_path / "root", tmp_path / "tree") == digest(b"x" * 4096).hex()
    assert (tmp_path / "tree").read_bytes() == b""


def test_the_topmost_level_comes_first_and_levels_are_filled_up_with_zeros(tmp_path: Path) -> None:
    blocks = [bytes([number % 256]) * 4096 for number in range(129)]
    (tmp_path / "root").write_bytes(b"".join(blocks))

    found = verity.write(tmp_path / "root", tmp_path / "tree")

    lowest = [b"".join(map(digest, blocks[:128])), digest(blocks[128]).ljust(4096, b"\0")]
    top = b"".join(map(digest, lowest)).ljust(4096, b"\0")
    assert (tmp_path / "tree").read_bytes() == top + b"".join(lowest)
    assert found == digest(top).hex()


@pytest.mark.parametrize("size", [0, 1, 4097])
def test_what_is_no_whole_number_of_blocks_has_no_tree(tmp_path: Path, size: int) -> None:
    (tmp_path / "root").write_bytes(bytes(size))

    with pytest.raises(IntegrityError, match="no whole number of blocks"):
        verity.write(tmp_path / "root", tmp_path / "tree")
