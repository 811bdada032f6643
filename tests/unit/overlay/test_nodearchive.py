"""What a node gets beside an image that is its initramfs."""

from __future__ import annotations

import pytest

from provisioner.archive import cpio
from provisioner.archive.tree import Entry, Kind
from provisioner.model.address import MacAddress
from provisioner.overlay.nodearchive import node_archive
from provisioner.overlay.rendered import pack

DEVICE = ("eth0", MacAddress("52:54:00:00:00:01"))
FILES = [
    Entry(".provisioner/overlay", Kind.FILE, b"remove\tetc/x\n", 0o600),
    Entry("etc/motd", Kind.FILE, b"hello", 0o640, 3, 4),
    Entry("lib/private", Kind.DIRECTORY, mode=0o700),
    Entry("lib/private/away", Kind.SYMLINK, b"/else"),
]
TOLD = {"url": b"http://10.0.0.1:8080\n", "token": b"secret\n"}


def made() -> dict[str, Entry]:
    entries = cpio.unpack(node_archive(pack(FILES).archive, TOLD, DEVICE))
    return {entry.path: entry for entry in entries}


def test_files_lie_apart_as_the_overlay_has_them_and_are_listed_without_what_does_not_stay() -> None:
    found = made()

    motd = found[".provisioner/files/etc/motd"]
    assert (motd.content, motd.mode, motd.uid, motd.gid) == (b"hello", 0o640, 3, 4)
    assert found[".provisioner/files/lib/private"].mode == 0o700
    assert found[".provisioner/files/lib/private/away"].content == b"/else"
    assert found[".provisioner/files/.provisioner/overlay"].content == b"remove\tetc/x\n"
    assert found[".provisioner/names"].content == b"etc/motd\nlib/private\nlib/private/away\n"


def test_the_kernel_finds_every_folder_before_what_it_holds_and_the_mark_at_the_end() -> None:
    paths = list(made())

    for place, path in enumerate(paths):
        parent = path.rpartition("/")[0]
        assert not parent or parent in paths[:place]
    assert paths[-1] == ".provisioner/whole"
    assert all(path.partition("/")[0] == ".provisioner" for path in paths)


def test_only_root_may_read_the_token() -> None:
    found = made()

    assert (found[".provisioner/run/token"].mode, found[".provisioner/run/url"].mode) == (0o600, 0o644)


def test_the_device_that_boots_gets_its_written_name() -> None:
    link = made()[".provisioner/links/01-provisioner-eth0.link"].content.decode()

    assert "MACAddress=52:54:00:00:00:01" in link
    assert "Name=eth0" in link


def test_an_overlay_that_is_no_archive_is_refused() -> None:
    with pytest.raises(ValueError, match="no newc archive"):
        node_archive(b"rubbish", TOLD, DEVICE)
