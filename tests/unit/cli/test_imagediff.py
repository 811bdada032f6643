"""`prov image diff`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from provisioner.cli.main import prov
from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError
from tests.support.bootable import bootable
from tests.support.surveyed import surveyed

STATUS = "Package: bash\nStatus: install ok installed\nVersion: 5.2\nArchitecture: amd64\n\n"
MANY = "".join(
    f"Package: new{number:02}\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n\n"
    for number in range(20)
)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = bootable(tmp_path)
    passwd = "root:x:0:0:root:/root:/bin/bash\nmunge:x:{}:997::/:/bin/sh\n"
    surveyed(paths, "old", {"etc/passwd": passwd.format(998), "var/lib/dpkg/status": STATUS})
    surveyed(paths, "new", {"etc/passwd": passwd.format(990), "var/lib/dpkg/status": STATUS + MANY})
    return paths


def run(paths: Paths, *words: str) -> Result:
    return CliRunner().invoke(prov, ["--root", str(paths.site), "image", "diff", *words])


def test_every_section_has_a_heading_that_counts_what_is_in_it(paths: Paths) -> None:
    printed = run(paths, "old", "new").stdout.splitlines()

    assert printed[0] == "old@1 -> new@1"
    assert "packages (20 notes)" in printed
    assert printed[printed.index("accounts (1 warning)") + 1] == " ! user munge: 998 -> 990"


def test_what_can_be_done_about_a_difference_is_below_it(paths: Paths) -> None:
    printed = run(paths, "old", "new").stdout.splitlines()

    below = printed[printed.index(" ! user munge: 998 -> 990") + 1]
    assert below.strip() == "prov image syncuser NEW --like OLD gives it the former number"


def test_a_long_section_is_cut_unless_everything_is_asked_for(paths: Paths) -> None:
    short, whole = run(paths, "old", "new").stdout, run(paths, "old", "new", "--all").stdout

    assert "  ... 8 more: --all shows them" in short
    assert "new19: 1 is new" not in short
    assert "new19: 1 is new" in whole


def test_programs_get_all_of_it_as_data(paths: Paths) -> None:
    record = json.loads(run(paths, "old", "new", "--format", "json").stdout)

    assert (record["from"], record["to"], record["window"]) == ("old@1", "new@1", "")
    assert len([each for each in record["findings"] if each["section"] == "packages"]) == 20


def test_equal_images_do_not_differ(paths: Paths) -> None:
    assert run(paths, "old", "old@1").stdout == "old@1 -> old@1\nno difference that matters\n"


def test_an_image_without_an_inventory_is_told(paths: Paths) -> None:
    done = run(paths, "demo", "new")

    assert isinstance(done.exception, NotFoundError)
    assert "demo@1 has no inventory" in str(done.exception)
