"""`prov secret`: where a secret comes from, and that no word of it is printed."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from provisioner.cli.main import prov
from provisioner.config.paths import Paths
from tests.support.site import SITE, write_site


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return write_site(tmp_path, {"provisioner.yaml": SITE})


def typed(paths: Paths, *words: str, given: bytes = b"") -> Result:
    return CliRunner().invoke(prov, ["--root", str(paths.site), "secret", *words], input=given)


def test_a_secret_comes_from_standard_input_to_the_byte_and_is_not_printed(paths: Paths) -> None:
    first = typed(paths, "set", "app", given=b"tiger\xff\n")
    second = typed(paths, "set", "app", given=b"lion\n")

    assert (first.output, second.output) == ("secret app set\n", "secret app changed\n")
    assert (paths.site / "secrets/app").read_bytes() == b"lion\n"


def test_a_secret_comes_from_a_file_or_is_made(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\0key")

    assert typed(paths, "set", "one", "--from-file", str(tmp_path / "key")).exit_code == 0
    assert typed(paths, "set", "two", "--generate", "64").exit_code == 0

    assert (paths.site / "secrets/one").read_bytes() == b"\0key"
    assert (paths.site / "secrets/two").stat().st_size == 64


def test_only_one_source_may_be_named(paths: Paths) -> None:
    result = typed(paths, "set", "app", "--generate", "8", "--from-command", "true")

    assert result.exit_code == 2
    assert "give one of" in result.output
    assert not (paths.site / "secrets").exists()


def test_a_secret_is_listed_by_name_and_size_and_deleted(paths: Paths) -> None:
    typed(paths, "set", "app", given=b"tiger")

    listed = typed(paths, "list").output.splitlines()
    deleted = typed(paths, "delete", "app")

    assert listed[0].split() == ["NAME", "BYTES", "CHANGED", "USED_BY"]
    assert listed[1].split()[:2] == ["app", "5"]
    assert deleted.output == "secret app deleted\n"
    assert typed(paths, "list", "--format", "json").output == "[]\n"


def test_there_is_no_way_to_have_a_secret_printed() -> None:
    result = CliRunner().invoke(prov, ["secret", "--help"])

    assert [line.split()[0] for line in result.output.partition("Commands:\n")[2].splitlines()] == [
        "delete",
        "list",
        "set",
    ]
