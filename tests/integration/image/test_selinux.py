"""A tree that is labelled by its own policy while it is packed, and never any longer."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from provisioner.errors import CommandError
from provisioner.image import manifest, squashfs
from provisioner.image.codec import Codec
from provisioner.image.selinux import ATTRIBUTE, Labelled, labelled
from tests.support import busybox

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("busybox", "mksquashfs", "unsquashfs")]

# What matchpathcon does: a path and a label with a tab between, or a word where there shall be none.
ASKS = """#!/bin/sh
shift
for path; do
    case $path in
        /etc/shadow) printf '%s\\tsystem_u:object_r:shadow_t:s0\\n' "$path" ;;
        /none) printf '%s\\t<<none>>\\n' "$path" ;;
        *) printf '%s\\tsystem_u:object_r:usr_t:s0\\n' "$path" ;;
    esac
done
"""
SHADOW, USR = b"system_u:object_r:shadow_t:s0\0", b"system_u:object_r:usr_t:s0\0"


def policed(tmp_path: Path, asks: str = ASKS) -> Path:
    """A tree with a policy, whose matchpathcon is this script."""
    tree = busybox.tree(tmp_path / "tree")
    for path, text in {
        "etc/selinux/config": "SELINUX=permissive\nSELINUXTYPE=toy\n",
        "etc/selinux/toy/contexts/files/file_contexts": "",
        "usr/sbin/matchpathcon": asks,
        "etc/shadow": "root:*:::::::\n",
        "none": "",
        "a b\u00e9": "",
    }.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    (tree / "usr/sbin/matchpathcon").chmod(0o755)
    (tree / "link").symlink_to("etc/shadow")
    os.link(tree / "etc/shadow", tree / "etc/shadow-too")
    return tree


def label(place: Path) -> bytes | None:
    found = os.listxattr(place, follow_symlinks=False)
    return os.getxattr(place, ATTRIBUTE, follow_symlinks=False) if ATTRIBUTE in found else None


def room(tmp_path: Path, name: str = "work") -> Path:
    (tmp_path / name).mkdir()
    return tmp_path / name


def pack(tree: Path, output: Path, work: Path) -> Labelled:
    with labelled(tree, work) as labels:
        squashfs.pack(tree, output, codec=Codec.GZIP, epoch=1_700_000_000)
    return labels


def test_the_packed_root_has_labels_and_the_tree_has_none(tmp_path: Path) -> None:
    tree = policed(tmp_path)
    before = manifest.write(tree, tmp_path / "before")

    labels = pack(tree, tmp_path / "root", room(tmp_path))

    assert labels == Labelled("toy, permissive")
    assert manifest.write(tree, tmp_path / "after") == before
    subprocess.run(["unsquashfs", "-q", "-n", "-d", tmp_path / "seen", tmp_path / "root"], check=True)
    seen = tmp_path / "seen"
    assert {label(seen / name) for name in ("", "link", "proc", "a b\u00e9", "bin/sh")} == {USR}
    assert label(seen / "none") is None
    assert (seen / "etc/shadow").stat().st_nlink == 2


def test_the_same_tree_gives_the_same_bytes(tmp_path: Path) -> None:
    tree = policed(tmp_path)
    for name in ("one", "two"):
        pack(tree, tmp_path / name, room(tmp_path, f"work-{name}"))

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_label_that_a_file_had_comes_back(tmp_path: Path) -> None:
    tree = policed(tmp_path)
    os.setxattr(tree / "etc/shadow", ATTRIBUTE, b"a_u:b_r:c_t\0")
    (tree / "etc/shadow-too").unlink()

    with labelled(tree, room(tmp_path)):
        assert label(tree / "etc/shadow") == SHADOW
    assert label(tree / "etc/shadow") == b"a_u:b_r:c_t\0"


@pytest.mark.parametrize(
    ("asks", "said"),
    [
        ("#!/bin/sh\nexit 7\n", "ended with status"),
        ("#!/bin/sh\necho nonsense\n", "and 0 labels"),
        ("#!/bin/sh\nprintf '/../outside\\ta:b:c\\n'\n", "and 0 labels"),
        ("#!/bin/sh\ntouch /etc/new && setfattr -n security.selinux -v x /etc/shadow\n", "ended with status"),
    ],
)
def test_a_program_that_does_no_good_leaves_the_tree_as_it_is(tmp_path: Path, asks: str, said: str) -> None:
    tree = policed(tmp_path, asks)
    before = manifest.write(tree, tmp_path / "before")

    labels = pack(tree, tmp_path / "root", room(tmp_path))

    assert labels.policy == ""
    assert said in labels.warnings[0]
    assert "its root has no labels" in labels.warnings[0]
    assert manifest.write(tree, tmp_path / "after") == before


def test_labels_go_when_packing_fails(tmp_path: Path) -> None:
    tree = policed(tmp_path)

    with pytest.raises(CommandError):
        pack(tree, tmp_path / "no/such/folder", room(tmp_path))

    assert label(tree / "bin") is None
