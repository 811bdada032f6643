"""Folders and their owners, as tmpfiles.conf has them."""

from __future__ import annotations

from pathlib import Path

from provisioner.config.paths import shipped_data
from provisioner.operations.setup.folders import Folder, read_folders, unlike

TEXT = """\
# a remark
d /etc/provisioner  2750 root provisioner -
L /etc/link - - - - /target
d /var/lib/x        0700 x x
"""
SITE, STATE = Path("/etc/provisioner"), Path("/var/lib/x")


def test_folders_are_read_and_other_lines_are_not() -> None:
    assert read_folders(TEXT) == {SITE: Folder("root", "provisioner", 0o2750), STATE: Folder("x", "x", 0o700)}


def test_the_shipped_file_has_the_folders_of_the_product() -> None:
    shipped = read_folders((shipped_data() / "packaging/systemd/tmpfiles.conf").read_text())

    assert str(shipped[SITE]) == "root:provisioner 2750"
    assert str(shipped[SITE / "secrets"]) == "root:root 0700"
    assert len(shipped) == 4


def test_what_is_missing_and_what_differs_is_named() -> None:
    wanted = read_folders(TEXT)

    assert unlike(wanted, dict(wanted)) == []
    assert unlike(wanted, {SITE: None, STATE: Folder("root", "x", 0o755)}) == [
        "/etc/provisioner (root:provisioner 2750)",
        "/var/lib/x (root:x 0755, not x:x 0700)",
    ]
