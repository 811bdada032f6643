"""SIF files: real ones by siftool, signed ones by gpg, and those that mean no good, extracted by unsquashfs."""

from __future__ import annotations

import json
import os
import stat
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provisioner.errors import IntegrityError, NotFoundError, ProvisionerError
from provisioner.image import sifimport
from provisioner.image.build import Obtained
from provisioner.image.layer import Limits
from provisioner.image.reference import parse
from provisioner.image.terms import Terms
from tests.support import unpacked
from tests.support.sif import MTIME, Sif, Signer, envelope, signer, squashfs

NEEDED = ("mksquashfs", "unsquashfs", "unshare", "setpriv", "prlimit", "gpg", "gpgv")
pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs(*NEEDED)]


@pytest.fixture(scope="module")
def key() -> Iterator[Signer]:
    with signer() as made:
        yield made


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    for name in ("etc", "usr/bin", ".singularity.d/env", "dev"):
        (root / name).mkdir(parents=True)
    (root / "etc/motd").write_text("hello")
    (root / "etc/motd2").hardlink_to(root / "etc/motd")
    (root / "usr/bin/su").write_text("SU")
    os.chown(root / "usr/bin/su", 0, 7)
    (root / "usr/bin/su").chmod(0o4755)
    (root / "bin").symlink_to("usr/bin")
    os.mknod(root / "dev/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.setxattr(root / "usr/bin/su", "user.note", b"\xff\x00")
    os.setxattr(root / "etc/motd", "security.selinux", b"system_u:object_r:etc_t:s0\0")
    (root / "environment").symlink_to(".singularity.d/env/90-environment.sh")
    for path in (root, *root.rglob("*")):
        os.utime(path, (MTIME, MTIME), follow_symlinks=False)
    return root


def imported(content: bytes, folder: Path, **terms: Any) -> Obtained:
    """Import into `folder/work/tree`."""
    (folder / "toy.sif").write_bytes(content)
    work = folder / "work"
    work.mkdir()
    told = Terms(store=folder, site_keys=folder / "keys.gpg", **terms)
    return sifimport.obtain(parse(f"sif:{folder / 'toy.sif'}"), work / "tree", told)


def good(tmp_path: Path, tree: Path) -> Sif:
    return Sif().add(0x4001, b"Bootstrap: docker\n").partition(squashfs(tmp_path, tree))


def test_the_root_of_a_real_file_comes_out_as_it_was(tmp_path: Path, tree: Path) -> None:
    file = tmp_path / "real.sif"
    (tmp_path / "root").write_bytes(squashfs(tmp_path, tree))
    siftool = str(unpacked.program("usr/bin/siftool"))
    subprocess.run([siftool, "new", file], check=True)
    kind = ["--datatype", "4", "--parttype", "2", "--partfs", "1", "--partarch", "2", "--groupid", "1"]
    subprocess.run([siftool, "add", *kind, file, tmp_path / "root"], check=True)

    obtained = imported(file.read_bytes(), tmp_path)

    root = tmp_path / "work/tree"
    su = (root / "usr/bin/su").stat()
    assert (stat.S_IMODE(su.st_mode), su.st_gid, int(su.st_mtime)) == (0o4755, 7, MTIME)
    assert os.getxattr(root / "usr/bin/su", "user.note") == b"\xff\x00"
    assert os.listxattr(root / "etc/motd") == []
    assert (root / "etc/motd").stat().st_nlink == 2
    assert (root / "dev/null").stat().st_rdev == os.makedev(1, 3)
    assert (root / "bin").readlink() == Path("usr/bin")
    assert (obtained.origin.platform, obtained.origin.signature) == ("linux/amd64", "not signed")
    assert stat.S_IMODE(root.stat().st_mode) == 0o755


def test_what_apptainer_adds_is_left_out_and_said(tmp_path: Path, tree: Path) -> None:
    obtained = imported(good(tmp_path, tree).done(), tmp_path)

    assert obtained.warnings == ("left out what Apptainer adds: /.singularity.d /environment",)
    assert sorted(path.name for path in (tmp_path / "work/tree").iterdir()) == ["bin", "dev", "etc", "usr"]
    assert obtained.epoch == MTIME
    assert [each.name for each in (tmp_path / "work").iterdir() if each.is_file()] == []


def test_a_signature_without_a_keyring_is_told_and_not_verified(tmp_path: Path, tree: Path, key: Signer) -> None:
    obtained = imported(good(tmp_path, tree).sign(key).done(), tmp_path)

    assert obtained.origin.signature == f"signed by {key.fingerprint}, not verified"


@pytest.mark.parametrize("armor", [False, True])
def test_a_signature_is_verified_with_a_keyring(tmp_path: Path, tree: Path, key: Signer, armor: bool) -> None:
    keyring = key.keyring(tmp_path / "trusted", armor=armor)

    obtained = imported(good(tmp_path, tree).sign(key).done(), tmp_path, keyring=keyring)

    assert obtained.origin.signature == f"signed by {key.fingerprint}, verified with {keyring}"


def test_the_keyring_of_the_site_is_used_unasked(tmp_path: Path, tree: Path, key: Signer) -> None:
    key.keyring(tmp_path / "keys.gpg")

    with pytest.raises(IntegrityError, match="nobody signed") as caught:
        imported(good(tmp_path, tree).done(), tmp_path)
    assert "--unsigned" in (caught.value.hint or "")
    assert not (tmp_path / "work/tree").exists()


def test_a_file_that_nobody_signed_is_taken_when_told_to(tmp_path: Path, tree: Path, key: Signer) -> None:
    keyring = key.keyring(tmp_path / "trusted")

    obtained = imported(good(tmp_path, tree).done(), tmp_path, keyring=keyring, unsigned=True)

    assert obtained.origin.signature == "not signed"


def test_a_stranger_who_signed_is_refused(tmp_path: Path, tree: Path, key: Signer) -> None:
    keyring = key.keyring(tmp_path / "trusted")
    with signer() as stranger:
        content = good(tmp_path, tree).sign(stranger).done()

    with pytest.raises(IntegrityError, match="is not one of"):
        imported(content, tmp_path, keyring=keyring, unsigned=True)


@pytest.mark.parametrize("keyed", [False, True])
def test_one_changed_byte_of_the_root_is_found(tmp_path: Path, tree: Path, key: Signer, keyed: bool) -> None:
    content = bytearray(good(tmp_path, tree).sign(key).done())
    content[content.index(b"hsqs") + 200] ^= 1
    keyring = key.keyring(tmp_path / "trusted") if keyed else None

    with pytest.raises(IntegrityError, match="was changed after it was signed: object 2"):
        imported(bytes(content), tmp_path, keyring=keyring)
    assert not (tmp_path / "work/tree").exists()


def test_a_changed_descriptor_is_found(tmp_path: Path, tree: Path, key: Signer) -> None:
    content = bytearray(good(tmp_path, tree).sign(key).done())
    # The name of the second object, 73 bytes into its descriptor.
    content[4096 + 585 + 73] ^= 1

    with pytest.raises(IntegrityError, match="was changed after it was signed: object 2"):
        imported(bytes(content), tmp_path)


def test_a_changed_document_is_found_where_there_is_a_keyring(tmp_path: Path, tree: Path, key: Signer) -> None:
    made = good(tmp_path, tree)
    forged = made.document()
    document = key.clear_sign(b'{"version":1}').replace(b'{"version":1}', forged)
    extra = struct.pack("<i", 5) + bytes.fromhex(key.fingerprint)
    made.add(0x4005, document, extra=extra, link=0xF0000001)

    with pytest.raises(IntegrityError, match="is not one of"):
        imported(made.done(), tmp_path, keyring=key.keyring(tmp_path / "trusted"))


def test_a_signature_that_leaves_the_root_out_is_no_signature_of_it(
    tmp_path: Path, tree: Path, key: Signer
) -> None:
    first = Sif().add(0x4001, b"Bootstrap: docker\n")
    document = first.document()
    made = first.partition(squashfs(tmp_path, tree)).sign(key, document)

    with pytest.raises(IntegrityError, match="its root, which was not signed"):
        imported(made.done(), tmp_path)


@pytest.mark.parametrize("document", [b"SIFHASH:\nabc\n", None])
def test_a_signature_of_another_form_is_told_and_satisfies_no_keyring(
    tmp_path: Path, tree: Path, key: Signer, document: bytes | None
) -> None:
    made = good(tmp_path, tree)
    if document is None:
        extra = struct.pack("<i", 5) + bytes(20)
        made.add(0x4005, envelope({}), extra=extra, link=0xF0000001)
    else:
        made.sign(key, document)
    other = tmp_path / "other"
    other.mkdir()

    obtained = imported(made.done(), tmp_path)

    assert "cannot be verified" in obtained.origin.signature
    with pytest.raises(IntegrityError, match="cannot be verified"):
        imported(made.done(), other, keyring=key.keyring(tmp_path / "trusted"))


def test_an_encrypted_root_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ProvisionerError, match="is encrypted") as caught:
        imported(Sif().partition(b"secret", system=5).done(), tmp_path)
    assert "dir:DIR" in (caught.value.hint or "")


def test_an_oci_sif_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ProvisionerError, match="is an OCI-SIF") as caught:
        imported(Sif().add(0x400A, b"{}").add(0x400B, b"{}").done(), tmp_path)
    assert "docker://" in (caught.value.hint or "")


@pytest.mark.parametrize("count", [0, 2])
def test_a_file_without_exactly_one_root_is_refused(tmp_path: Path, count: int) -> None:
    made = Sif()
    for _ in range(count):
        made.partition(b"x")

    with pytest.raises(ProvisionerError, match=f"has {count} primary partitions"):
        imported(made.done(), tmp_path)


def test_a_root_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProvisionerError, match="is ext3"):
        imported(Sif().partition(b"x", system=2).done(), tmp_path)


def test_a_root_for_other_processors_is_refused(tmp_path: Path, tree: Path) -> None:
    content = Sif(architecture=b"04\0").partition(squashfs(tmp_path, tree)).done()
    other = tmp_path / "other"
    other.mkdir()

    with pytest.raises(ProvisionerError, match="is for linux/arm64"):
        imported(content, tmp_path)
    assert imported(content, other, platform="linux/arm64").origin.platform == "linux/arm64"


@pytest.mark.parametrize("keep", [0, 100, 5000, 32_768, 33_000, -1])
def test_a_truncated_file_is_refused(tmp_path: Path, tree: Path, keep: int) -> None:
    content = good(tmp_path, tree).done()
    assert len(content) > 33_000
    content = content[:keep]

    with pytest.raises(IntegrityError, match=r"no SIF|damaged|cut short|cannot be"):
        imported(content, tmp_path)
    assert not (tmp_path / "work/tree").exists()


def test_a_squashfs_with_damaged_tables_is_refused(tmp_path: Path, tree: Path) -> None:
    content = bytearray(good(tmp_path, tree).done())
    start = content.index(b"hsqs")
    content[start + 64 : start + 96] = b"\xff" * 32

    with pytest.raises(IntegrityError, match=r"squashfs in toy\.sif cannot be"):
        imported(bytes(content), tmp_path)


def test_a_bomb_is_counted_before_it_goes_off(tmp_path: Path, tree: Path) -> None:
    with (tree / "zeros").open("wb") as stream:
        stream.truncate(64 << 20)
    content = good(tmp_path, tree).done()

    with pytest.raises(IntegrityError, match="more than an image may have"):
        imported(content, tmp_path, limits=Limits(size=1 << 20))
    with pytest.raises(IntegrityError, match="more than 3 entries"):
        imported_again(content, tmp_path / "again", Limits(entries=3))
    assert not (tmp_path / "work/tree").exists()


def imported_again(content: bytes, folder: Path, limits: Limits) -> Obtained:
    folder.mkdir()
    return imported(content, folder, limits=limits)


def test_a_name_that_is_there_twice_leads_nowhere_outside(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "hostile"
    (root / "bbbb").mkdir(parents=True)
    (root / "aaaa").symlink_to(outside)
    (root / "bbbb/pwned").write_text("x")
    packed = squashfs(tmp_path, root, "-noI")
    assert packed.count(b"bbbb") == 1
    # A link and a folder of the same name: what is in the folder would be written through the link.
    content = Sif().partition(packed.replace(b"bbbb", b"aaaa")).done()

    with pytest.raises(IntegrityError, match=r"squashfs in toy.sif cannot be"):
        imported(content, tmp_path)
    assert list(outside.iterdir()) == []


def test_a_keyring_that_is_not_there_is_named(tmp_path: Path, tree: Path) -> None:
    with pytest.raises(NotFoundError, match="no keyring"):
        imported(good(tmp_path, tree).done(), tmp_path, keyring=tmp_path / "nope")


def test_a_signature_with_strange_numbers_is_no_signature(tmp_path: Path, tree: Path, key: Signer) -> None:
    content = good(tmp_path, tree)
    document = json.loads(content.document())
    document["objects"][0]["relativeId"] = 0.0

    with pytest.raises(IntegrityError, match="signs no digests of a SIF file"):
        imported(content.sign(key, json.dumps(document).encode()).done(), tmp_path)
