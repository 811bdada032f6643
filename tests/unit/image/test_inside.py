from __future__ import annotations

import os
from pathlib import Path

import pytest

from provisioner.errors import IntegrityError
from provisioner.image import inside


def test_an_absolute_link_starts_at_the_root_of_the_image(tmp_path: Path) -> None:
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "lib").symlink_to("/usr/lib")

    assert inside.resolve(tmp_path, "/lib/modules") == tmp_path / "usr/lib/modules"


@pytest.mark.parametrize("target", ["/", "/etc", "../../../../../../..", "../../usr/../../etc"])
def test_no_link_leads_out_of_the_image(tmp_path: Path, target: str) -> None:
    root = tmp_path / "a/b"
    root.mkdir(parents=True)
    (root / "link").symlink_to(target)

    found = inside.resolve(root, "link/shadow")

    assert found in {root / "shadow", root / "etc/shadow"}


def test_dots_stay_inside_too(tmp_path: Path) -> None:
    assert inside.resolve(tmp_path, "../../etc/passwd") == tmp_path / "etc/passwd"


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    with pytest.raises(IntegrityError, match="more than 40 links"):
        inside.resolve(tmp_path, "a/c")


def test_locate_follows_parents_and_leaves_the_last_link_alone(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "parent").symlink_to("/real")
    (tmp_path / "real/link").symlink_to("/elsewhere")

    assert inside.locate(tmp_path, "/parent/link") == tmp_path / "real/link"


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"12345")

    assert inside.read(tmp_path, "pipe") is None
    assert inside.read(tmp_path, "missing") is None
    assert inside.read(tmp_path, "file", limit=3) == b"123"
