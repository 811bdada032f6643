from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.image.kernel import find, release_of, version_key
from tests.support.kernel import bzimage


def add_kernel(root: Path, place: str, release: str, *, modules: bool = True) -> None:
    file = root / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bzimage(release))
    if modules:
        folder = root / "lib/modules" / release
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "modules.dep").touch()


def releases(root: Path) -> list[str]:
    return [kernel.release for kernel in find(root)]


def test_the_release_is_read_from_the_file_and_not_from_its_name(tmp_path: Path) -> None:
    add_kernel(tmp_path, "boot/vmlinuz-lies", "6.1.0-9-amd64")

    assert releases(tmp_path) == ["6.1.0-9-amd64"]


def test_a_kernel_beside_its_modules_is_found(tmp_path: Path) -> None:
    release = "5.14.0-570.el9.x86_64"
    add_kernel(tmp_path, f"lib/modules/{release}/vmlinuz", release)

    assert find(tmp_path)[0].file == tmp_path / f"lib/modules/{release}/vmlinuz"


def test_a_kernel_without_modules_is_none(tmp_path: Path) -> None:
    add_kernel(tmp_path, "boot/vmlinuz-6.1", "6.1", modules=False)

    assert releases(tmp_path) == []


def test_the_newest_is_last_by_number_and_not_by_letter(tmp_path: Path) -> None:
    for release in ("6.1.0-56-amd64", "6.1.0-9-amd64", "6.10.0-1-amd64"):
        add_kernel(tmp_path, f"boot/vmlinuz-{release}", release)

    assert releases(tmp_path) == ["6.1.0-9-amd64", "6.1.0-56-amd64", "6.10.0-1-amd64"]


@pytest.mark.parametrize(
    "special", ["9.9.0-1-rt-amd64", "9.9.0-1.el9.x86_64+debug", "9.9.0-1.el9.x86_64+rt", "9.9.0-1.el9.aarch64+64k"]
)
def test_a_special_kernel_is_taken_only_when_there_is_no_other(tmp_path: Path, special: str) -> None:
    for release in (special, "6.1.0-9-amd64"):
        add_kernel(tmp_path, f"boot/vmlinuz-{release}", release)

    assert releases(tmp_path) == [special, "6.1.0-9-amd64"]


def test_rescue_kernels_and_links_are_passed_over(tmp_path: Path) -> None:
    add_kernel(tmp_path, "boot/vmlinuz-0-rescue-abc", "6.1.0-1")
    (tmp_path / "boot/vmlinuz-link").symlink_to("vmlinuz-0-rescue-abc")

    assert releases(tmp_path) == []


def test_a_link_to_a_kernel_of_this_machine_is_not_followed(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    add_kernel(outside, "vmlinuz-6.1", "6.1")
    root.mkdir()
    (root / "boot").symlink_to(outside)
    (root / "lib").symlink_to(outside / "lib")

    assert releases(root) == []


@pytest.mark.parametrize("release", ["../../etc", "6.1/../..", "", "6.1\x1b[31m"])
def test_a_release_that_would_lead_elsewhere_is_none(tmp_path: Path, release: str) -> None:
    (tmp_path / "kernel").write_bytes(bzimage(release))

    assert release_of(tmp_path / "kernel") is None


@given(st.binary(max_size=0x600))
def test_any_bytes_give_an_answer(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("kernel") / "file"
    file.write_bytes(bytes(0x202) + b"HdrS" + content)

    assert release_of(file) is None or release_of(file)


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_two_versions_can_be_compared(one: str, other: str) -> None:
    assert (version_key(one) < version_key(other)) in {True, False}
