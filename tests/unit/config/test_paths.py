"""Where a site lives: below one root, or in the usual places of a Linux system."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from provisioner.config.paths import Paths, shipped_data


def test_a_root_moves_every_path_but_the_shipped_data_below_itself(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path)
    names = [field.name for field in fields(Paths) if field.name != "data"]
    names += [name for name, value in vars(Paths).items() if isinstance(value, property)]

    assert len(names) > 10
    for name in names:
        assert getattr(paths, name).is_relative_to(tmp_path), name


def test_a_relative_root_is_taken_from_where_the_command_was_typed() -> None:
    assert Paths.below(Path("here")).site == Path.cwd() / "here"


def test_without_a_root_it_is_the_site_of_the_system() -> None:
    paths = Paths.below(None)

    assert (str(paths.site), str(paths.state)) == ("/etc/provisioner", "/var/lib/provisioner")
    assert str(paths.control_socket) == "/run/provisioner/control.sock"


@pytest.mark.parametrize("name", ["overlays", "templates", "images"])
def test_the_shipped_data_is_found(name: str) -> None:
    assert (shipped_data() / name).is_dir()
