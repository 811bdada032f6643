"""Programs of UEFI, signed by the site with the real sbsigntool."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import CommandError, NotFoundError
from provisioner.host.run import run
from provisioner.image.signing import is_signed, sign
from provisioner.operations import secureboot
from provisioner.trust.bootkey import BootKey
from tests.support.unpacked import program

pytestmark = [pytest.mark.integration, pytest.mark.needs("sbsign", "sbverify", "sbvarsign")]

IPXE = Path("/usr/lib/ipxe/snponly.efi")


@pytest.fixture
def key(tmp_path: Path) -> BootKey:
    found = BootKey.below(tmp_path)
    found.make("demo", 1_800_000_000.0)
    return found


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = Paths.below(tmp_path / "site")
    found.site_file.parent.mkdir(parents=True)
    found.site_file.write_text("cluster: demo\nnetworks: {provision: {cidr: 10.0.0.0/16}}\n")
    return found


def test_a_signed_program_is_told_from_one_that_nobody_or_somebody_else_signed(
    key: BootKey, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = BootKey.below(tmp_path / "other")
    other.make("demo", 1_800_000_000.0)
    signed = sign(IPXE, key, tmp_path / "kept")

    assert (is_signed(IPXE, key), is_signed(signed, key), is_signed(signed, other)) == (False, True, False)
    # sbverify alone says yes here, for any certificate.
    assert not is_signed(program("usr/lib/shim/shimx64.efi.signed"), key)


@pytest.mark.root
def test_the_key_is_for_root_alone_in_a_folder_of_the_daemons(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    BootKey.below(tmp_path).make("demo", 1_800_000_000.0)

    found = (tmp_path / "secureboot.key").stat()

    assert (found.st_uid, found.st_mode & 0o777) == (0, 0o600)
    assert (tmp_path / "secureboot.crt").stat().st_uid == 65534


def test_a_second_signature_leaves_the_first_one_where_it_is(key: BootKey, tmp_path: Path) -> None:
    grub = program("usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed")
    signed = sign(grub, key, tmp_path / "kept")

    assert is_signed(signed, key)
    assert "Debian Secure Boot" in run(["sbverify", "--list", signed])


def test_the_same_program_is_signed_once_and_a_changed_one_is_signed_no_more(key: BootKey, tmp_path: Path) -> None:
    first, again = (sign(IPXE, key, tmp_path / "kept") for _ in range(2))
    changed = tmp_path / "changed"
    content = bytearray(first.read_bytes())
    content[0x1000] ^= 1
    changed.write_bytes(content)

    assert first == again
    assert not is_signed(changed, key)


def test_what_is_no_program_cannot_be_signed(key: BootKey, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("nothing")

    with pytest.raises(CommandError, match="sbsign"):
        sign(tmp_path / "text", key, tmp_path / "kept")
    assert list((tmp_path / "kept").iterdir()) == []


def test_loaders_are_signed_where_the_daemon_finds_them_first_and_are_shown(paths: Paths) -> None:
    secureboot.init(paths)
    said: list[str] = []
    secureboot.sign(paths, say=said.append)
    secureboot.sign(paths, say=said.append)

    assert said == ["signed snponly.efi", "signed ipxe.efi"]
    assert [(row.what, row.signed) for row in secureboot.status(paths)] == [
        ("ipxe.efi", True),
        ("snponly.efi", True),
    ]
    assert sorted(each.name for each in (paths.state / "loaders").iterdir()) == ["ipxe.efi", "snponly.efi"]


def test_a_loader_of_the_sites_own_is_the_one_that_is_signed(paths: Paths) -> None:
    key = secureboot.init(paths)
    folder = paths.state / "loaders"
    folder.mkdir()
    shutil.copy("/usr/lib/ipxe/ipxe.efi", folder / "snponly.efi")
    size = (folder / "snponly.efi").stat().st_size
    secureboot.sign(paths, say=lambda _: None)

    assert is_signed(folder / "snponly.efi", key)
    assert (folder / "snponly.efi").stat().st_size > size > IPXE.stat().st_size * 2


def test_the_files_for_firmware_hold_the_certificate(paths: Paths) -> None:
    key = secureboot.init(paths)
    files = {file.name: file.read_bytes() for file in secureboot.enroll(paths)}

    assert files.keys() == {
        *("site.der", secureboot.OVMF_FILE),
        *(f"{name}.{kind}" for name in ("PK", "KEK", "db") for kind in ("esl", "auth")),
    }
    assert files["site.der"] == key.der
    assert all(key.der in content for content in files.values())
    assert all(files[f"{name}.auth"].endswith(files[f"{name}.esl"]) for name in ("PK", "KEK", "db"))


def test_without_a_key_nothing_is_signed_and_the_hint_says_how_to_make_one(paths: Paths) -> None:
    with pytest.raises(NotFoundError, match="has no key for Secure Boot") as caught:
        secureboot.sign(paths, say=lambda _: None)
    assert caught.value.hint == "prov secureboot init"
