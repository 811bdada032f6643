from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from provisioner.image import dpkg
from provisioner.model.inventory import Package

BASH = Package(name="bash", version="5.2.15-2+b7", architecture="amd64")


def write(root: Path, name: str, text: str) -> None:
    file = root / "var/lib/dpkg" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_only_what_is_installed_is_listed(tmp_path: Path) -> None:
    write(
        tmp_path,
        "status",
        "Package: bash\nStatus: install ok installed\nDescription: x\n Package: y\nVersion: 5.2.15-2+b7\n"
        "Architecture: amd64\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: all\n\n"
        "Package: half\nStatus: install reinstreq half-installed\nVersion: 1\nArchitecture: all\n",
    )

    assert dpkg.read(tmp_path) == (BASH,)


def test_an_image_without_dpkg_itself_has_a_file_for_each_package(tmp_path: Path) -> None:
    write(tmp_path, "status.d/bash", "Package: bash\nVersion: 5.2.15-2+b7\nArchitecture: amd64\n")
    write(tmp_path, "status.d/bash.md5sums", "0123  bin/bash\n")

    assert dpkg.read(tmp_path) == (BASH,)


def test_an_image_without_a_database_has_none(tmp_path: Path) -> None:
    assert dpkg.read(tmp_path) is None


def test_the_files_of_an_architecture_come_before_those_of_any(tmp_path: Path) -> None:
    write(tmp_path, "info/bash.list", "/other\n")
    write(tmp_path, "info/bash:amd64.list", "/bin/bash\n")

    assert dpkg.files(tmp_path, BASH) == ("/bin/bash",)


def test_a_diversion_tells_place_and_taker(tmp_path: Path) -> None:
    write(tmp_path, "diversions", "/bin/sh\n/bin/sh.distrib\ndash\n/cut/off\n")

    assert dpkg.diversions(tmp_path) == {"/bin/sh": ("/bin/sh.distrib", "dash")}


def test_a_database_that_links_out_of_the_image_is_not_read(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    write(outside, "status", "Package: bash\nVersion: 5.2.15-2+b7\nArchitecture: amd64\n")
    (root / "var/lib").mkdir(parents=True)
    (root / "var/lib/dpkg").symlink_to(outside / "var/lib/dpkg")

    assert dpkg.read(root) is None


@given(st.text())
def test_any_text_is_read_and_gives_names_that_can_be_printed(text: str) -> None:
    for package in dpkg.parse(f"Package: {text}\nVersion: {text}\nArchitecture: {text}\n"):
        assert (package.name + package.version + package.architecture).isprintable()
