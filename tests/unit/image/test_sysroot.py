from __future__ import annotations

import os
from pathlib import Path

import pytest

from provisioner.image import sysroot
from tests.support.imagetree import tree

FILES = {
    "usr/bin/dash": "#!",
    "etc/shadow": "root:secret:",
    "etc/os-release": "touch /tmp/owned",
    "etc/ld.so.conf": "include ld.so.conf.d/*.conf\n",
    "usr/lib/modules/6.1/kernel.ko": "module",
    "usr/share/doc/dash/copyright": "words",
}
LINKS = {
    "usr/bin/sh": "dash",
    "usr/bin/awk": "/etc/alternatives/awk",
    "etc/alternatives/awk": "/usr/bin/dash",
    "usr/bin/out": "../../../../../../../../etc/passwd",
    "usr/bin/absolute": "/etc/machine-id",
    "usr/bin/circle": "circle",
}


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return sysroot.copy(tree(tmp_path / "tree", FILES, LINKS), tmp_path / "copy")


def test_programs_are_the_image_s_own_files(copied: Path, tmp_path: Path) -> None:
    assert (copied / "bin/sh").samefile(tmp_path / "tree/usr/bin/dash")
    assert (copied / "usr/bin/awk").samefile(tmp_path / "tree/usr/bin/dash")


def test_no_link_leads_out_of_the_copy(copied: Path) -> None:
    links = [Path(folder, name) for folder, folders, names in os.walk(copied) for name in folders + names]

    for link in (each for each in links if each.is_symlink() and each.name != "circle"):
        assert Path(os.path.realpath(link)).is_relative_to(copied), link
    assert not (copied / "usr/bin/circle").is_symlink()


def test_nothing_is_there_that_stage_1_has_no_use_for(copied: Path) -> None:
    assert sorted(each.name for each in (copied / "etc").iterdir()) == ["ld.so.conf"]
    assert not (copied / "usr/lib/modules").exists()
    assert not (copied / "usr/share/doc").exists()


def test_a_link_in_place_of_a_folder_is_not_written_through(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    image = tree(tmp_path / "tree", {}, {"usr/lib/dracut": str(outside), "etc/udev": "/usr/lib"})

    copied = sysroot.copy(image, tmp_path / "copy")

    assert not (copied / "usr/lib/dracut").exists()
    assert list(outside.iterdir()) == []
