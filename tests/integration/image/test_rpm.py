"""Rpm databases, read by the process that is locked up with them.

`data/rpmdb.sqlite.gz` was made by rpm 4.18 (`rpm --justdb -i`) of two small packages, `data/Packages.gz` of their
headers by db5.3_load, as a hash of pages of 4 KiB.
"""

from __future__ import annotations

import gzip
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from provisioner.image import owners, rpm
from provisioner.model.inventory import Package
from tests.support.rpmheader import header

pytestmark = [pytest.mark.integration, pytest.mark.root]

DATA = Path(__file__).parent / "data"
TOY = Package(name="toy-tools", version="2:1.5-3.el9", architecture="noarch")
META = Package(name="toy-tools-meta", version="2:7-1", architecture="noarch")
SCHEMA = "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/var/lib/rpm").mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    # As in a build: nobody but root may come here.
    (tmp_path / "work").mkdir(mode=0o700)
    return tmp_path / "work/scratch"


def database(root: Path, *blobs: bytes, schema: str = SCHEMA) -> Path:
    file = root / "var/lib/rpm/rpmdb.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute(schema)
        connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(blob,) for blob in blobs])
    connection.close()
    return file


def test_a_database_that_rpm_made_is_read(root: Path, scratch: Path) -> None:
    (root / "var/lib/rpm/rpmdb.sqlite").write_bytes(gzip.decompress((DATA / "rpmdb.sqlite.gz").read_bytes()))

    found = rpm.read(root, scratch)

    assert found == rpm.Installed(((TOY, ("/bin/play", "/bin/toy", "/etc/toy/toy.conf")), (META, ())))


def test_a_file_belongs_to_the_package_that_brought_it_wherever_folders_lead(root: Path, scratch: Path) -> None:
    (root / "var/lib/rpm/rpmdb.sqlite").write_bytes(gzip.decompress((DATA / "rpmdb.sqlite.gz").read_bytes()))
    (root / "bin").symlink_to("usr/bin")

    found = owners.find(root, scratch)

    assert (found.manager, found.packages) == ("rpm", (TOY, META))
    assert found.by_path == {"usr/bin/play": 0, "usr/bin/toy": 0, "etc/toy/toy.conf": 0}


def test_what_is_only_in_the_log_of_the_database_counts(root: Path, scratch: Path) -> None:
    file = root / "var/lib/rpm/rpmdb.sqlite"
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(SCHEMA)
    connection.execute("INSERT INTO Packages (blob) VALUES (?)", (header("late"),))
    connection.commit()
    assert file.with_name("rpmdb.sqlite-wal").stat().st_size > 0

    found = rpm.read(root, scratch)
    connection.close()

    assert found is not None
    assert [package.name for package, _ in found.packages] == ["late"]


def test_the_place_where_fedora_keeps_it_is_looked_at(root: Path, scratch: Path) -> None:
    (root / "usr/lib/sysimage/rpm").mkdir(parents=True)
    database(root, header("new")).rename(root / "usr/lib/sysimage/rpm/rpmdb.sqlite")

    found = rpm.read(root, scratch)

    assert found is not None
    assert [package.name for package, _ in found.packages] == ["new"]


def test_keys_are_no_packages_and_odd_names_are_left_out(root: Path, scratch: Path) -> None:
    database(root, header("gpg-pubkey"), header("evil\x1b[2J"), header("good"))

    found = rpm.read(root, scratch)

    assert found is not None
    assert [package.name for package, _ in found.packages] == ["good"]


def test_a_database_of_berkeley_db_is_read(root: Path, scratch: Path) -> None:
    (root / "var/lib/rpm/Packages").write_bytes(gzip.decompress((DATA / "Packages.gz").read_bytes()))

    found = rpm.read(root, scratch)

    assert found == rpm.Installed(((TOY, ("/bin/play", "/bin/toy", "/etc/toy/toy.conf")), (META, ())))


@pytest.mark.parametrize(
    ("schema", "blob"),
    [
        (SCHEMA, b"no header"),
        ("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob TEXT, other BLOB)", "text"),
    ],
)
def test_a_package_that_is_none_leaves_a_note(root: Path, scratch: Path, schema: str, blob: bytes) -> None:
    database(root, header("first"), blob, schema=schema)

    found = rpm.read(root, scratch)

    assert found is not None
    assert "the rpm database is damaged: " in found.note


def test_a_view_in_place_of_the_table_is_not_asked(root: Path, scratch: Path) -> None:
    with sqlite3.connect(root / "var/lib/rpm/rpmdb.sqlite") as connection:
        endless = (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS hnum, i AS blob FROM n"
        )
        connection.execute(f"CREATE VIEW Packages AS {endless}")
    connection.close()

    found = rpm.read(root, scratch)

    assert found == rpm.Installed((), "the rpm database is damaged: the database has no table of packages")


def test_a_damaged_database_leaves_a_note_and_nothing_else(root: Path, scratch: Path) -> None:
    content = bytearray(gzip.decompress((DATA / "rpmdb.sqlite.gz").read_bytes()))
    chosen = random.Random(1)
    for place in (chosen.randrange(100, len(content)) for _ in range(20_000)):
        content[place] = chosen.randrange(256)
    (root / "var/lib/rpm/rpmdb.sqlite").write_bytes(content)

    found = rpm.read(root, scratch)

    assert found is not None
    assert "the rpm database" in found.note


def test_a_database_that_links_out_of_the_image_is_not_read(root: Path, scratch: Path, tmp_path: Path) -> None:
    (tmp_path / "head/var/lib/rpm").mkdir(parents=True)
    outside = database(tmp_path / "head", header("of-this-machine"))
    (root / "var/lib/rpm/rpmdb.sqlite").symlink_to(outside)

    assert rpm.read(root, scratch) is None


def test_the_reader_is_nobody_in_a_folder_of_its_own_and_stays_there(root: Path, scratch: Path) -> None:
    database(root, header("toy"))
    rpm.read(root, scratch)
    look = (
        "import os, sys; from contextlib import suppress; from provisioner.image import rpmjail\n"
        "rpmjail._confine(sys.argv[1])\n"
        "with suppress(PermissionError): os.setuid(0)\n"
        "with suppress(PermissionError): os.chroot('..')\n"
        "print(sorted(os.listdir('/')), os.getresuid(), os.getresgid(), os.getgroups())"
    )

    done = subprocess.run([sys.executable, "-c", look, scratch], capture_output=True, text=True, check=True)

    nobody = (65534, 65534, 65534)
    assert done.stdout.strip() == f"['rpmdb.sqlite'] {nobody} {nobody} []"


def test_a_form_that_is_not_read_is_named(root: Path, scratch: Path) -> None:
    (root / "var/lib/rpm/Packages.db").write_bytes(b"x")

    found = rpm.read(root, scratch)

    assert found is not None
    assert "ndb" in found.note
