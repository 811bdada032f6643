"""The root of a running machine, over a real ssh to a real sshd on loopback."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provisioner.errors import NotFoundError, ProvisionerError, UnavailableError
from provisioner.image import remote
from provisioner.image.build import Obtained
from provisioner.image.reference import parse
from provisioner.image.terms import Terms
from tests.support.sshd import sshd

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("ssh", "ssh-keygen", "tar", "setpriv")]

FILES = (
    "etc/motd",
    "proc/version",
    "tmp/mine",
    "var/tmp/mine",
    "var/log/munge/munged.log",
    "var/lib/provisioner/images/trees/secret",
    "run/pid",
    "swapfile",
    "home/user/notes",
)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int, Path]]:
    """The tree that stands for a root, with a file system of its own at boot/ and mnt/, and how to reach it."""
    folder = tmp_path_factory.mktemp("machine")
    root = folder / "a root"
    for name in (*FILES, "boot/x", "mnt/x"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        (root / name).write_text("hello")
    (root / "etc/motd2").hardlink_to(root / "etc/motd")
    os.setxattr(root / "etc/motd", "user.note", b"\xff")
    mounts = [f"mount -t tmpfs x '{root}/{name}' && echo x >'{root}/{name}/here'" for name in ("boot", "mnt")]
    with sshd(folder / "sshd", before="\n".join(mounts)) as (port, config):
        yield root, port, config


def imported(source: str, folder: Path, config: Path | None, **terms: Any) -> Obtained:
    """Import into `folder/work/tree`."""
    work = folder / "work"
    work.mkdir()
    told = Terms(store=folder / "store", site_keys=folder / "keys", ssh_config=config, **terms)
    return remote.obtain(parse(source), work / "tree", told)


def names(folder: Path) -> list[str]:
    tree = folder / "work/tree"
    return sorted(str(path.relative_to(tree)) for path in tree.rglob("*") if not path.is_dir())


def test_the_root_comes_without_what_belongs_to_the_moment(
    machine: tuple[Path, int, Path], tmp_path: Path
) -> None:
    root, port, config = machine
    source = f"ssh://root@127.0.0.1:{port}{root}"
    seen: list[int] = []

    obtained = imported(source, tmp_path, config, watch=lambda done, _: seen.append(done))

    tree = tmp_path / "work/tree"
    expected = ["boot/here", "etc/motd", "etc/motd2", "home/user/notes"]
    assert names(tmp_path) == [*expected, "var/lib/provisioner/images/trees/secret"]
    assert all((tree / name).is_dir() for name in ("proc", "tmp", "var/tmp", "var/log/munge", "run", "mnt"))
    assert (tree / "etc/motd").stat().st_nlink == 2
    assert os.getxattr(tree / "etc/motd", "user.note") == b"\xff"
    assert (obtained.origin.kind, obtained.origin.reference) == ("ssh", source)
    assert obtained.warnings == ()


def test_a_store_in_the_root_is_not_copied_into_itself(machine: tuple[Path, int, Path], tmp_path: Path) -> None:
    root, port, config = machine
    work = tmp_path / "work"
    work.mkdir()
    store = root / "var/lib/provisioner/images"
    told = Terms(store=store, site_keys=tmp_path / "keys", ssh_config=config)

    remote.obtain(parse(f"ssh://root@127.0.0.1:{port}{root}"), work / "tree", told)

    assert (work / "tree/var/lib/provisioner/images").is_dir()
    assert not (work / "tree/var/lib/provisioner/images/trees").exists()


def test_a_folder_that_the_machine_does_not_have_is_named(machine: tuple[Path, int, Path], tmp_path: Path) -> None:
    _, port, config = machine

    with pytest.raises(NotFoundError, match="has no folder /nope"):
        imported(f"ssh://root@127.0.0.1:{port}/nope", tmp_path, config)


def test_a_machine_that_lets_nobody_in_is_told(machine: tuple[Path, int, Path], tmp_path: Path) -> None:
    root, port, config = machine

    with pytest.raises(UnavailableError, match=r"cannot be reached: .*Permission denied"):
        imported(f"ssh://nobody@127.0.0.1:{port}{root}", tmp_path, config)


def test_a_machine_that_does_not_answer_is_told(tmp_path: Path) -> None:
    # Port 9 of loopback: nothing listens there.
    with pytest.raises(UnavailableError, match="Connection refused"):
        imported("ssh://127.0.0.1:9/", tmp_path, None)


@pytest.mark.parametrize("place", ["-oProxyCommand=touch${IFS}x", "a b", "host:99999999", "", "-x@host"])
def test_what_is_no_machine_never_reaches_ssh(tmp_path: Path, place: str) -> None:
    with pytest.raises(ProvisionerError, match=r"is no machine|does not say where"):
        imported(f"ssh://{place}", tmp_path, None)
