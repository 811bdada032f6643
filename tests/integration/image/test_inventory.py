"""The inventory that an import makes: real layout, dracut and squashfs, and trees that lie."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.image import inventory, store
from provisioner.model.image import Generation
from provisioner.model.inventory import Inventory
from provisioner.operations.imageimport import import_image
from provisioner.operations.images import describe
from tests.support.oci import Tar, bootable_layer, layout

NEEDED = ("dracut", "mksquashfs", "zstd", "cpio", "depmod")
pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs(*NEEDED)]

DATA = Path(__file__).parent / "data"
SECRET = "of-this-machine"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.below(tmp_path / "site")


def imported(paths: Paths, folder: Path, *layers: bytes, name: str = "toy") -> Generation:
    return import_image(paths, f"oci:{layout(folder, [bootable_layer(), *layers])}", name).generation


def facts(paths: Paths, generation: Generation) -> Inventory:
    found = inventory.inventory(paths, generation)
    assert found is not None
    return found


def test_an_import_makes_an_inventory(paths: Paths, tmp_path: Path) -> None:
    layer = Tar().add("etc/passwd", data=b"root:x:0:0::/root:/bin/sh\n").add("usr/sbin/wicked", data=b"ELF")

    made = imported(paths, tmp_path / "layout", layer.done())

    told = describe(paths, made)
    assert (told["kernels"], told["users"], told["init"]["name"]) == (["6.1.0-1-test"], 1, "init")
    assert told["network"] == [{"name": "wicked", "enabled": False}]
    known = inventory.files(paths, made)
    assert known is not None
    assert len(known) == made.entries


def test_an_image_of_rpm_packages_tells_them_and_their_files(paths: Paths, tmp_path: Path) -> None:
    database = gzip.decompress((DATA / "rpmdb.sqlite.gz").read_bytes())
    layer = Tar().add("var/lib/rpm/rpmdb.sqlite", data=database).add("bin/toy", data=b"x")

    made = imported(paths, tmp_path / "layout", layer.done())

    known = inventory.files(paths, made)
    assert known is not None
    assert facts(paths, made).version_of("toy-tools") == "2:1.5-3.el9"
    assert known["/bin/toy"].package == "toy-tools"
    assert not [text for text in made.warnings if "rpm" in text]


def test_a_database_that_cannot_be_read_is_a_warning(paths: Paths, tmp_path: Path) -> None:
    layer = Tar().add("var/lib/rpm/rpmdb.sqlite", data=b"no database" * 100)

    made = imported(paths, tmp_path / "layout", layer.done())

    assert [text for text in made.warnings if "rpm database" in text]
    assert facts(paths, made).packages == ()


def test_two_imports_give_the_same_inventory_and_the_root_is_the_same_as_ever(
    paths: Paths, tmp_path: Path
) -> None:
    one = imported(paths, tmp_path / "one", name="one")
    two = imported(paths, tmp_path / "two", name="two")

    assert (one.inventory, one.root, one.tree) == (two.inventory, two.root, two.tree)
    assert one.inventory is not None


def test_a_generation_of_before_gives_way_to_one_with_an_inventory(paths: Paths, tmp_path: Path) -> None:
    made = imported(paths, tmp_path / "one")
    store.publish(paths, made.model_copy(update={"inventory": None}))

    again = imported(paths, tmp_path / "two")

    assert (again.number, again.inventory, again.root) == (3, made.inventory, made.root)


def test_a_hostile_image_cannot_bring_a_file_of_this_machine_into_its_inventory(
    paths: Paths, tmp_path: Path
) -> None:
    head = tmp_path / "head"
    for place, text in {
        "passwd": f"{SECRET}:x:1:1::/:/bin/sh\n",
        "status": f"Package: {SECRET}\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n",
        "os-release": f"ID={SECRET}\n",
        "units/leak.service": f"[Install]\nWantedBy={SECRET}.target\n",
        f"units/{SECRET}.target.wants/leak.service": "",
    }.items():
        (head / place).parent.mkdir(parents=True, exist_ok=True)
        (head / place).write_text(text)
    links = Tar().add("etc/passwd", "symlink", link=f"{head}/passwd").add("etc/group", "symlink", link="group")
    links.add("etc/shells", "symlink", link="../" * 20 + f"{head}/passwd").add("etc/motd", "pipe")
    links.add("etc/systemd", "directory").add("etc/systemd/system", "symlink", link=f"{head}/units")
    links.add("var/lib/dpkg/status", "symlink", link=f"{head}/status").add("etc/hosts", "char", device=(1, 5))
    links.add("var/lib/dpkg/info", "symlink", link=str(head)).add("var/lib/rpm", "symlink", link=str(head))
    links.add("usr/lib/systemd/system", "symlink", link="system")

    made = imported(paths, tmp_path / "layout", links.done())

    assert made.inventory is not None
    found = facts(paths, made)
    assert SECRET not in found.model_dump_json()
    assert (found.users, found.groups, found.packages, found.units) == ((), (), (), ())


def test_secrets_of_the_image_stay_out(paths: Paths, tmp_path: Path) -> None:
    layer = Tar().add("etc/shadow", data=b"root:$6$hash:1::::::\n", mode=0o640)
    layer.add("etc/ssh/key", data=b"-----BEGIN PRIVATE KEY-----", mode=0o600)
    layer.add("etc/passwd", "symlink", link="shadow").add("etc/issue", "symlink", link="ssh/key")

    found = facts(paths, imported(paths, tmp_path / "layout", layer.done()))

    assert "hash" not in found.model_dump_json()
    assert "PRIVATE" not in found.model_dump_json()
