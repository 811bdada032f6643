"""What a user without rights is told."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from provisioner.cli.main import main
from provisioner.config.paths import Paths
from provisioner.errors import UnavailableError
from provisioner.operations import live

pytestmark = [pytest.mark.integration, pytest.mark.root]

_NOBODY = 65534


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
