"""What a user without rights is told."""

from __future__ import annotations

import importlib
import os
import pkgutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import provisioner
from provisioner.cli.main import main
from provisioner.config.paths import Paths
from provisioner.errors import UnavailableError
from provisioner.operations import live
from provisioner.operations.secrets import set_secret
from provisioner.trust.secrets import SecretFolder
from tests.support.changes import change
from tests.support.site import SITE, write_site

pytestmark = [pytest.mark.integration, pytest.mark.root]

_NOBODY = 65534


@pytest.fixture(autouse=True, scope="module")
def everything_is_imported() -> None:
    """Python itself may lie where nobody may look, and commands import what they need when they run."""
    for module in pkgutil.walk_packages(provisioner.__path__, "provisioner."):
        importlib.import_module(module.name)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may look into, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def nobody() -> Iterator[None]:
    """Have no rights for a while."""
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_command_without_rights_names_the_file_and_how_to_get_them(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with nobody(), pytest.raises(SystemExit) as caught:
        main(["--root", str(folder), "init", "--cluster", "demo", "--network", "10.0.0.0/16"])

    assert caught.value.code == 1
    message, hint = capsys.readouterr().err.splitlines()
    assert message == f"prov: Permission denied: {folder}/var"
    assert "run prov as root" in hint


def test_a_control_socket_that_one_may_not_use_is_no_daemon_that_is_down(folder: Path) -> None:
    paths = Paths.below(folder)
    paths.run.mkdir(mode=0o700)
    paths.control_socket.touch(mode=0o600)

    with nobody(), pytest.raises(UnavailableError, match="runs, but does not answer: Permission denied"):
        live.status(paths)


@pytest.fixture
def site(folder: Path) -> Path:
    """A site of root with one node and one change, which everybody may read."""
    files = {"provisioner.yaml": SITE, "nodes.d/n.yaml": "nodes: {n1: {}}\n"}
    change(write_site(folder, files), {"nodes.d/n.yaml": "nodes: {n1: {tags: {a: b}}}\n"})
    return folder


def refusal(site: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with nobody(), pytest.raises(SystemExit) as caught:
        main(["--root", str(site), *words])
    assert caught.value.code == 1
    return capsys.readouterr().err


@pytest.mark.parametrize("words", [["history"], ["history", "show", "1"], ["undo"]])
@pytest.mark.parametrize("closed", ["var", "var/history.sqlite"])
def test_a_history_that_one_may_not_read_is_not_called_damaged(
    site: Path, capsys: pytest.CaptureFixture[str], words: list[str], closed: str
) -> None:
    (site / closed).chmod(0)

    told = refusal(site, capsys, *words)

    assert told.startswith(f"prov: the history {site}/var/history.sqlite cannot be opened")
    assert "run prov as root" in told
    assert "damaged" not in told


@pytest.mark.parametrize("words", [["why", "n1", "image"], ["check"]])
def test_images_that_one_may_not_look_at_are_named_as_such(
    site: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    (site / "var").chmod(0o700)

    told = refusal(site, capsys, *words)

    assert told.startswith(f"prov: the images below {site}/var/images cannot be looked at: Permission denied")
    assert "run prov as root" in told


def test_a_site_file_that_one_may_not_read_is_not_to_be_replaced(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (site / "nodes.d/n.yaml").chmod(0o600)

    told = refusal(site, capsys, "node", "list")

    assert told.startswith("prov: nodes.d/n.yaml:0:0: cannot be read: Permission denied")
    assert "run prov as root" in told
    assert "replace" not in told


def test_a_check_without_rights_to_secrets_finds_everything_else(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (site / "overlays/app/rootfs/etc").mkdir(parents=True)
    (site / "overlays/app/rootfs/etc/app.j2").write_text("{{ secrets.app }}\n{{ node.nothing }}\n")
    (site / "nodes.d/o.yaml").write_text("nodes: {n1: {overlays: {system: [app]}}}\n")
    set_secret(Paths.below(site), "app", b"tiger")

    told = refusal(site, capsys, "check")

    assert "app.j2:2:1: a node has no field 'nothing'" in told
    assert "Permission denied" not in told


def test_a_secret_that_one_may_not_read_says_how_a_service_gets_it(site: Path) -> None:
    set_secret(Paths.below(site), "app", b"tiger")
    folder = SecretFolder.of(site, {})

    with nobody(), pytest.raises(UnavailableError, match="may not be read by this user") as caught:
        folder.content("app")

    assert "LoadCredential=provisioner.secret.app:" in (caught.value.hint or "")
