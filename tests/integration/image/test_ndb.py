"""Packages of a database in ndb form: asked of the image's own rpm, here a script that stands for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.image import rpm
from provisioner.model.inventory import Package
from tests.support import busybox

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("busybox")]

SAID = r"bash\t5.2-1.1\tx86_64\n/usr/bin/bash\n/usr/bin/a b\ngpg-pubkey\tx-1\t(none)\nzypper\t1:2-3\tnoarch\n"


def tree(root: Path, script: str) -> Path:
    """A tree with a database that we cannot read, and an rpm that is a script."""
    busybox.tree(root)
    (root / "var/lib/rpm").mkdir(parents=True)
    (root / "var/lib/rpm/Packages.db").write_bytes(b"RpmP" + bytes(100))
    (root / "bin/rpm").unlink(missing_ok=True)
    (root / "bin/rpm").write_text(f"#!/bin/sh\n{script}\n")
    (root / "bin/rpm").chmod(0o755)
    return root


def test_what_rpm_says_is_taken_and_marked(tmp_path: Path) -> None:
    found = rpm.read(tree(tmp_path / "tree", f"printf '{SAID}'"), tmp_path / "scratch")

    assert found is not None
    assert found.packages == (
        (Package(name="bash", version="5.2-1.1", architecture="x86_64"), ("/usr/bin/bash", "/usr/bin/a b")),
        (Package(name="zypper", version="1:2-3", architecture="noarch"), ()),
    )
    assert "the image's own rpm says" in found.note


@pytest.mark.parametrize("script", ["exit 1", "echo nonsense; exit 3", "kill -9 $$"])
def test_an_rpm_that_fails_is_no_list_and_no_error(tmp_path: Path, script: str) -> None:
    found = rpm.read(tree(tmp_path / "tree", script), tmp_path / "scratch")

    assert found is not None
    assert found.packages == ()
    assert "ndb" in found.note


def test_an_rpm_that_prints_for_ever_is_stopped(tmp_path: Path) -> None:
    found = rpm.read(tree(tmp_path / "tree", "exec yes"), tmp_path / "scratch")

    assert found is not None
    assert found.packages == ()


def test_an_rpm_cannot_change_the_tree(tmp_path: Path) -> None:
    root = tree(tmp_path / "tree", f"touch /var/lib/rpm/x && exit 1; printf '{SAID}'")

    found = rpm.read(root, tmp_path / "scratch")

    assert found is not None
    assert len(found.packages) == 2
    assert not (root / "var/lib/rpm/x").exists()
