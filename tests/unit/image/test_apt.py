from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.errors import ProvisionerError
from provisioner.image import apt

DEBIAN = """Types: deb
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security/
Suites: bookworm-security
Components: main contrib
"""
OTHERS = """Types: deb
URIs: https://vendor.example/linux/debian
Suites: bookworm
Components: stable

Types: deb
URIs: https://vendor.example/tool
Suites: bookworm
Components: main

Types: deb
URIs: http://mirror.example/debian
Suites: trixie
Components: main

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: bookworm
Components: main
"""


def etc_apt(folder: Path, **files: str) -> Path:
    (folder / "sources.list.d").mkdir()
    for name, text in files.items():
        (folder / "sources.list.d" / name.replace("_", ".")).write_text(text)
    return folder


def test_the_machines_own_entries_for_the_suite_are_taken_and_no_other(tmp_path: Path) -> None:
    etc = etc_apt(tmp_path, debian_sources=DEBIAN, others_sources=OTHERS)

    assert apt.sources("bookworm", etc=etc) == DEBIAN


def test_one_line_entries_are_taken_too(tmp_path: Path) -> None:
    lines = (
        "# deb http://old.example/debian bookworm main\ndeb [trusted=yes] file:/srv/debian bookworm main contrib\n"
    )
    (tmp_path / "sources.list").write_text(f"{lines}deb https://vendor.example bookworm main\n")

    assert apt.sources("bookworm", etc=tmp_path) == "deb [trusted=yes] file:/srv/debian bookworm main contrib\n"


def test_a_machine_without_the_suite_takes_debians_mirrors(tmp_path: Path) -> None:
    assert apt.sources("bookworm", etc=tmp_path).splitlines() == [
        "deb https://deb.debian.org/debian bookworm main",
        "deb https://deb.debian.org/debian bookworm-updates main",
        "deb https://deb.debian.org/debian-security bookworm-security main",
    ]


def test_a_mirror_is_taken_alone(tmp_path: Path) -> None:
    etc = etc_apt(tmp_path, debian_sources=DEBIAN)

    assert (
        apt.sources("bookworm", mirror="http://m.example/d", etc=etc) == "deb http://m.example/d bookworm main\n"
    )


@pytest.mark.parametrize("mirror", ["m.example/debian", "http://m.example/debian bookworm main\ndeb x", "exec:sh"])
def test_what_is_no_url_of_an_archive_is_refused(mirror: str) -> None:
    with pytest.raises(ProvisionerError, match="no mirror"):
        apt.sources("bookworm", mirror=mirror)


def test_the_name_of_the_file_tells_apt_its_format(tmp_path: Path) -> None:
    assert apt.write(tmp_path, DEBIAN).suffix == ".sources"
    assert apt.write(tmp_path, "deb http://m.example/d bookworm main\n").suffix == ".list"
