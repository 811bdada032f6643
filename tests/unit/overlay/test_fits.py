"""What overlays make, compared with an image: what is in the way, and what would not be found."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.archive.tree import Entry, Kind
from provisioner.config.paths import Paths
from provisioner.image import inventory
from provisioner.model.imagefiles import ImageFiles
from provisioner.model.inventory import Inventory
from provisioner.overlay import fits
from provisioner.overlay.fits import Level, Misfit, misfits
from tests.support.imagetree import stored, tree

WANTS = "etc/systemd/system/multi-user.target.wants"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> tuple[Inventory, ImageFiles]:
    folder = tmp_path_factory.mktemp("image")
    paths = Paths.below(folder / "site")
    root = tree(
        folder / "root", {"etc/bash.conf": "", "var/lib/dpkg/info/bash.list": "/bin/bash\n/etc/bash.conf\n"}
    )
    generation = stored(paths, root)
    facts, files = inventory.inventory(paths, generation), inventory.files(paths, generation)
    assert facts is not None
    assert files is not None
    return facts, files


def found(image: tuple[Inventory, ImageFiles], *entries: Entry) -> list[Misfit]:
    return list(misfits({entry.path: ("mine", entry) for entry in entries}, *image))


def told(image: tuple[Inventory, ImageFiles], *entries: Entry) -> list[tuple[Level, str]]:
    return [(each.level, each.message) for each in found(image, *entries)]


def file(path: str, content: bytes = b"", **owner: int) -> Entry:
    return Entry(path, Kind.FILE, content, 0o644, **owner)


def test_new_files_and_those_that_no_package_owns_are_no_finding(image: tuple[Inventory, ImageFiles]) -> None:
    assert found(image, file("etc/new"), file("etc/shells"), file("bin/new")) == []


def test_a_program_of_a_package_is_replaced_with_a_warning(image: tuple[Inventory, ImageFiles]) -> None:
    assert found(image, file("bin/bash")) == [
        Misfit("mine", "bin/bash", Level.WARNING, "replaces /usr/bin/bash of the package bash")
    ]


def test_a_configuration_file_of_a_package_is_what_overlays_are_for(image: tuple[Inventory, ImageFiles]) -> None:
    assert told(image, file("etc/bash.conf")) == [(Level.NOTE, "replaces /etc/bash.conf of the package bash")]


def test_a_declared_directory_over_a_symlink_is_a_problem(image: tuple[Inventory, ImageFiles]) -> None:
    ((level, message),) = told(image, Entry("lib", Kind.DIRECTORY, mode=0o755))

    assert level is Level.PROBLEM
    assert message.endswith("which is a symlink to usr/lib in the image: write usr/lib instead")


def test_a_file_over_a_directory_is_a_problem(image: tuple[Inventory, ImageFiles]) -> None:
    assert told(image, file("usr/bin")) == [
        (Level.PROBLEM, "/usr/bin is a directory in the image, and cannot become a file")
    ]


def test_nothing_lies_below_a_file(image: tuple[Inventory, ImageFiles]) -> None:
    assert told(image, file("etc/passwd/x")) == [
        (Level.PROBLEM, "/etc/passwd is a file in the image, so nothing can lie below it")
    ]


def test_two_paths_that_are_one_place_are_a_problem(image: tuple[Inventory, ImageFiles]) -> None:
    assert told(image, file("bin/x"), file("usr/bin/x")) == [
        (Level.PROBLEM, "is the same place in the image as bin/x: one of the two is lost")
    ]


def test_an_enabled_unit_that_nothing_has_is_a_problem(image: tuple[Inventory, ImageFiles]) -> None:
    link = Entry(f"{WANTS}/slurmd.service", Kind.SYMLINK, b"/lib/systemd/system/slurmd.service", 0o777)

    ((level, message),) = told(image, link)

    assert level is Level.PROBLEM
    assert message.startswith("enables slurmd.service, which neither")


@pytest.mark.parametrize("name", ["systemd-networkd.service", "mine.service", "copy@tty1.service"])
def test_units_of_the_image_and_of_overlays_can_be_enabled(image: tuple[Inventory, ImageFiles], name: str) -> None:
    units = [file(f"etc/systemd/system/{unit}") for unit in ("mine.service", "copy@.service")]

    assert told(image, *units, Entry(f"{WANTS}/{name}", Kind.SYMLINK, b"../x", 0o777)) == []


def test_an_owner_that_the_image_lacks_is_a_problem(image: tuple[Inventory, ImageFiles]) -> None:
    assert told(image, file("etc/a", uid=998, gid=997)) == []
    assert told(image, file("etc/a", uid=1234, gid=4321)) == [
        (Level.PROBLEM, "belongs to group 4321, which the image does not have"),
        (Level.PROBLEM, "belongs to user 1234, which the image does not have"),
    ]


def test_a_service_runs_as_a_user_that_there_is(image: tuple[Inventory, ImageFiles]) -> None:
    unit = "etc/systemd/system/x.service"

    assert told(image, file(unit, b"[Service]\nUser=munge\nGroup=slurm\n")) == []
    assert told(image, file(unit, b"[Service]\nUser=alice\n")) == [
        (Level.PROBLEM, "runs as user alice, which the image does not have")
    ]
    assert told(image, file(unit, b"[Service]\nDynamicUser=yes\nUser=alice\n")) == []


def test_users_that_an_overlay_brings_are_there(image: tuple[Inventory, ImageFiles]) -> None:
    users = file("etc/sysusers.d/site.conf", b'g hpc 2000\nu alice 1001:2000 "Alice" /home/alice\n')
    unit = file("etc/systemd/system/x.service", b"[Service]\nUser=alice\nGroup=hpc\n")

    assert told(image, users, unit, file("etc/a", uid=1001, gid=2000)) == []


def test_large_overlays_are_named(image: tuple[Inventory, ImageFiles], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fits, "LARGEST", 1 << 20)

    ((level, message),) = told(image, file("srv/big", bytes(3 << 20)))

    assert level is Level.WARNING
    assert message.startswith("3 MiB in all")


def test_a_loop_of_links_in_the_image_ends(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path / "site")
    generation = stored(paths, tree(tmp_path / "root", {}, {"a": "b", "b": "a"}))
    facts, files = inventory.inventory(paths, generation), inventory.files(paths, generation)
    assert facts is not None
    assert files is not None

    assert misfits({"a/x": ("mine", file("a/x"))}, facts, files) == ()
