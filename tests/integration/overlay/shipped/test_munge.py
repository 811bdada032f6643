"""munge with the key of the overlay: what a node vouches for is believed elsewhere, and the other way round."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from provisioner.archive.tree import Entry
from provisioner.host.run import run
from provisioner.lab.namespace import Namespace
from provisioner.overlay.context import Identity, Surroundings
from provisioner.overlay.folder import write_tree
from provisioner.overlay.library import Library
from provisioner.overlay.memo import RenderMemo
from provisioner.render.environment import Renderer
from provisioner.trust.secrets import SecretFolder
from provisioner.trust.sitekey import SiteKey
from tests.support import overlays
from tests.support.daemon import eventually

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("munge", "munged", "unmunge", "setpriv", "systemd-tmpfiles"),
]

UID, GID = 900, 901


def made(site: Path, key: bytes) -> list[Entry]:
    """The files of the overlay, with this key as the site's secret."""
    secrets = SecretFolder.of(site, {})
    secrets.write("munge", key)
    snapshot = overlays.snapshot()
    context = Surroundings(snapshot, Identity(SiteKey(b"k" * 32)), secrets=secrets).context(snapshot.nodes["n001"])
    return Library(overlays.shipped(site), RenderMemo(Renderer())).tree(["munge"], context)


def node_tree(site: Path, key: bytes, tree: Path) -> Path:
    """A node's root as it is when munge starts: the overlay laid over an image, and tmpfiles done."""
    write_tree(made(site, key), tree)
    (tree / "etc/passwd").write_text(f"munge:x:{UID}:{GID}::/nonexistent:/usr/sbin/nologin\n")
    (tree / "etc/group").write_text(f"munge:x:{GID}:\n")
    run(["systemd-tmpfiles", "--create", f"--root={tree}", "provisioner-munge.conf"])
    return tree


def start(namespace: Namespace, folder: Path, key: Path) -> str:
    """A munged with this key, as the user that munge has on nodes; the path of its socket."""
    user = ("setpriv", f"--reuid={UID}", f"--regid={GID}", "--clear-groups")
    files = [f"--{kind}-file={folder}/{kind}" for kind in ("log", "pid", "seed")]
    namespace.run(["install", "-d", "-m", "0755", "-o", str(UID), "-g", str(GID), str(folder)])
    socket = f"{folder}/socket"
    command = [*user, "munged", "--foreground", f"--key-file={key}", f"--socket={socket}", *files]
    namespace.spawn(command, cwd=Path("/"))
    return socket


def answer(namespace: Namespace, speaker: str, listener: str) -> str:
    """What one says of a credential that another one made."""
    said = namespace.run(["munge", f"--socket={speaker}", "--string=hello"])
    script = 'printf %s "$1" | unmunge "--socket=$2" 2>&1 || true'
    return namespace.run(["sh", "-c", script, "sh", said, listener])


def test_munged_takes_the_key_and_two_with_one_secret_believe_each_other(tmp_path: Path) -> None:
    key, other = os.urandom(1024), os.urandom(1024)
    trees = [
        node_tree(tmp_path / f"s{number}", each, tmp_path / f"t{number}")
        for number, each in enumerate([key, key, other])
    ]
    with Namespace() as namespace:
        # Others than root may not go through the folders of tests.
        namespace.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run"])
        sockets = []
        for number, tree in enumerate(trees):
            etc = f"/run/etc{number}"
            namespace.run(["cp", "--archive", str(tree / "etc/munge"), etc])
            sockets.append(start(namespace, Path(f"/run/munge{number}"), Path(etc) / "munge.key"))
        there = [f"test -S {socket}" for socket in sockets]
        eventually(lambda: namespace.run(["sh", "-c", f"{' && '.join(there)} && echo yes || true"]))

        assert answer(namespace, sockets[0], sockets[1]).endswith("hello")
        assert answer(namespace, sockets[1], sockets[0]).endswith("hello")
        assert "Invalid credential" in answer(namespace, sockets[0], sockets[2])


def test_the_key_belongs_to_munge_alone_when_munge_starts(tmp_path: Path) -> None:
    tree = node_tree(tmp_path / "site", b"key" * 20, tmp_path / "tree")

    status = (tree / "etc/munge/munge.key").stat()

    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (UID, GID, 0o400)
    assert (tree / "etc/munge/munge.key").read_bytes() == b"key" * 20
