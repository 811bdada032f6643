from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from provisioner.errors import ProvisionerError
from provisioner.image.codec import Codec, choose
from provisioner.image.kernel import Kernel

NEEDED = "CONFIG_SQUASHFS=m\nCONFIG_OVERLAY_FS=m\nCONFIG_BLK_DEV_LOOP=m\n"


def kernel_in(root: Path) -> Kernel:
    (root / "boot").mkdir(exist_ok=True)
    (root / "modules").mkdir(exist_ok=True)
    return Kernel("6.1", root / "boot/vmlinuz-6.1", root / "modules")


def test_zstd_is_chosen_where_the_kernel_can_undo_it(tmp_path: Path) -> None:
    kernel = kernel_in(tmp_path)
    (tmp_path / "boot/config-6.1").write_text(f"{NEEDED}CONFIG_RD_ZSTD=y\nCONFIG_SQUASHFS_ZSTD=y\n")

    codecs = choose(tmp_path, kernel)

    assert (codecs.stage1, codecs.root, codecs.warnings) == (Codec.ZSTD, Codec.ZSTD, ())


def test_each_of_the_two_is_chosen_for_itself(tmp_path: Path) -> None:
    kernel = kernel_in(tmp_path)
    (tmp_path / "modules/config").write_text(f"{NEEDED}CONFIG_RD_ZSTD=y\n# CONFIG_SQUASHFS_ZSTD is not set\n")

    codecs = choose(tmp_path, kernel)

    assert (codecs.stage1, codecs.root) == (Codec.ZSTD, Codec.GZIP)


def test_a_compressed_configuration_is_read(tmp_path: Path) -> None:
    kernel = kernel_in(tmp_path)
    (tmp_path / "modules/config").write_bytes(gzip.compress(b"CONFIG_RD_ZSTD=y\n"))

    assert choose(tmp_path, kernel).stage1 is Codec.ZSTD


def test_a_broken_configuration_counts_as_none(tmp_path: Path) -> None:
    kernel = kernel_in(tmp_path)
    (tmp_path / "modules/config").write_bytes(b"\x1f\x8bnonsense")

    codecs = choose(tmp_path, kernel)

    assert (codecs.stage1, codecs.root) == (Codec.GZIP, Codec.GZIP)
    assert "no configuration of kernel 6.1" in codecs.warnings[0]


def test_what_stage_1_needs_and_the_kernel_lacks_is_named(tmp_path: Path) -> None:
    kernel = kernel_in(tmp_path)
    (tmp_path / "boot/config-6.1").write_text("CONFIG_SQUASHFS=y\nCONFIG_BLK_DEV_LOOP=m\n")

    assert choose(tmp_path, kernel).warnings == ("kernel 6.1 has no overlayfs",)


def test_a_compression_that_is_asked_for_is_taken_if_the_kernel_can_undo_it(tmp_path: Path) -> None:
    kernel = kernel_in(tmp_path)
    (tmp_path / "modules/config").write_text(f"{NEEDED}CONFIG_RD_ZSTD=y\nCONFIG_SQUASHFS_XZ=y\n")

    assert choose(tmp_path, kernel, "xz").root is Codec.XZ
    with pytest.raises(ProvisionerError, match=r"kernel 6.1 of the image cannot undo lz4: CONFIG_SQUASHFS_LZ4"):
        choose(tmp_path, kernel, "lz4")
    with pytest.raises(ProvisionerError, match="no compression 'brotli'"):
        choose(tmp_path, kernel, "brotli")
