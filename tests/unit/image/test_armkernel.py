from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.image import kernel
from provisioner.image.armkernel import release_of
from tests.support.kernel import arm_image, bzimage

RELEASE = "6.1.0-44-cloud-arm64"


def stored(folder: Path, content: bytes) -> Path:
    file = folder / "vmlinuz"
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("content", [arm_image(RELEASE), gzip.compress(arm_image(RELEASE))], ids=["plain", "gzip"])
def test_the_release_is_what_the_kernel_will_print(tmp_path: Path, content: bytes) -> None:
    assert release_of(stored(tmp_path, content)) == RELEASE


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"Linux version 6.1.0 (",
        bzimage("6.1.0"),
        arm_image("../../etc"),
        gzip.compress(b"Linux version 6.1.0 ("),
        gzip.compress(arm_image(RELEASE))[:100],
        b"\x1f\x8b" + b"\xff" * 100,
    ],
    ids=["empty", "words alone", "x86", "odd release", "no kernel", "cut off", "broken"],
)
def test_a_file_that_is_no_such_kernel_has_none(tmp_path: Path, content: bytes) -> None:
    assert release_of(stored(tmp_path, content)) is None


def test_a_link_to_a_kernel_is_none(tmp_path: Path) -> None:
    stored(tmp_path, arm_image(RELEASE))
    (tmp_path / "link").symlink_to("vmlinuz")

    assert release_of(tmp_path / "link") is None


def test_a_tree_tells_what_processor_its_kernel_runs_on(tmp_path: Path) -> None:
    (tmp_path / "boot").mkdir()
    (tmp_path / f"boot/vmlinuz-{RELEASE}").write_bytes(arm_image(RELEASE))
    (tmp_path / "boot/vmlinuz-x").write_bytes(bzimage("6.1.0-44-amd64"))

    assert [(each.release, each.machine) for each in kernel.every(tmp_path)] == [
        ("6.1.0-44-amd64", "x86_64"),
        (RELEASE, "aarch64"),
    ]


@given(st.binary(max_size=200))
def test_no_file_breaks_it(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("kernel")
    for made in (content, b"\x1f\x8b" + content, gzip.compress(content)):
        assert release_of(stored(folder, made)) is None
