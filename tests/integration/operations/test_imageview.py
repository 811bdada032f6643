"""An image seen as a node sees it: the files of its overlays on top, where the image's own links lead."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConflictError, NotFoundError
from provisioner.image import store
from provisioner.image.build import Obtained, build
from provisioner.model.image import Generation, Origin
from provisioner.operations.imageexec import Room, look
from tests.support import baseimage, busybox
from tests.support.bootable import bootable

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("busybox")]

OVERLAY = """\
description: For tests.
remove: [etc/old, srv/data]
files:
  etc/private: {mode: "0600", uid: 998, gid: 997}
"""
GROUPS = """\
groups:
  base: {}
  compute:
    groups: [base]
    image: demo
    overlays: {system: [local], runtime: [hosts]}
"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    files = {
        "groups.d/g.yaml": GROUPS,
        "overlays/local/overlay.yaml": OVERLAY,
        "overlays/local/rootfs/etc/name.j2": "{{ node.name }} of {{ image.os.PRETTY_NAME }}\n",
        "overlays/local/rootfs/etc/private": "hush\n",
        "overlays/local/rootfs/lib/new": "through the link\n",
        "overlays/local/rootfs/srv/data/kept": "kept\n",
    }
    return bootable(tmp_path / "site", files)


@pytest.fixture
def image(paths: Paths) -> Generation:
    def obtain(tree: Path) -> Obtained:
        baseimage.fill(tree)
        for name in ("etc/old", "srv/data/gone", "usr/lib/there", "usr/sbin/NetworkManager"):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(name)
        (tree / "lib").symlink_to("/usr/lib")
        (tree / "srv").chmod(0o1770)
        return Obtained(Origin(kind="directory", reference="tests"), 1_700_000_000, may_be_base=True)

    return build(paths, "tiny", obtain, say=lambda _: None).generation


def seen(paths: Paths, script: str, tmp_path: Path, node: str | None = "n1") -> str:
    """What a shell script prints in the image as a node sees it; through a bind, so that the test gets it."""
    (tmp_path / "answer").mkdir(exist_ok=True)
    room = Room(binds=(f"{tmp_path}/answer:/answer",), interactive=False)
    command = ["sh", "-ec", f"({script}) > /answer/text"]
    assert look(paths, "tiny", command, room, node=node) == 0
    return (tmp_path / "answer/text").read_text()


def test_the_files_of_the_node_lie_on_the_image(paths: Paths, image: Generation, tmp_path: Path) -> None:
    before = busybox.everything(store.tree_path(paths, image.tree))

    assert seen(paths, "cat /etc/name /usr/lib/new /lib/there; grep -c n2 /etc/hosts", tmp_path).splitlines() == [
        "n1 of Tiny 1",
        "through the link",
        "usr/lib/there1",
    ]
    assert busybox.everything(store.tree_path(paths, image.tree)) == before
    assert list((paths.images / "tmp").iterdir()) == []


def test_another_node_sees_its_own(paths: Paths, image: Generation, tmp_path: Path) -> None:
    assert seen(paths, "cat /etc/name", tmp_path, node="n2") == "n2 of Tiny 1\n"
    assert seen(paths, "ls /etc", tmp_path, node=None).find("name") == -1


def test_owners_and_modes_are_those_that_the_node_gets(paths: Paths, image: Generation, tmp_path: Path) -> None:
    printed = seen(paths, "stat -c '%a %u %g' /etc/private /srv /etc", tmp_path)

    assert printed.splitlines() == ["600 998 997", "1770 0 0", "755 0 0"]


def test_what_overlays_remove_is_gone_and_what_comes_back_is_there(
    paths: Paths, image: Generation, tmp_path: Path
) -> None:
    assert seen(paths, "! test -e /etc/old; ls /srv/data", tmp_path) == "kept\n"


def test_it_is_a_look_and_changes_nothing(paths: Paths, image: Generation, tmp_path: Path) -> None:
    assert look(paths, "tiny", ["touch", "/etc/new"], Room(interactive=False), node="n1") != 0
    assert store.catalogue(paths).current["tiny"] == 1


def test_nodes_that_are_many_or_none_are_refused(paths: Paths, image: Generation) -> None:
    with pytest.raises(ConflictError, match="2 nodes"):
        look(paths, "tiny", ["true"], Room(interactive=False), node="n[1-2]")
    with pytest.raises(NotFoundError):
        look(paths, "tiny", ["true"], Room(interactive=False), node="n99")
