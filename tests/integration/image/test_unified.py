"""Kernel and stage 1 as one program, made with systemd's stub and signed with the real sbsigntool."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from provisioner.archive import cpio
from provisioner.boot.unified import ARCHITECTURES
from provisioner.config.paths import Paths
from provisioner.errors import IntegrityError, UnavailableError
from provisioner.host.run import run
from provisioner.image import store, unified
from provisioner.image.folder import ImageFolder
from provisioner.image.signing import is_signed
from provisioner.model.image import Generation
from provisioner.operations import imagebundle, imagestore, imagetrust, keys, secureboot
from provisioner.trust.anchor import FOLDER
from provisioner.trust.bootkey import BootKey
from tests.support.bootable import bootable
from tests.support.imagestore import artifact

STUB = str(unified.STUBS / "linuxx64.efi.stub")
pytestmark = [pytest.mark.integration, pytest.mark.needs("sbsign", "sbverify", "objcopy", STUB)]

# A program that can be signed, in the place of a kernel.
KERNEL = Path("/usr/lib/ipxe/snponly.efi")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A site with a key for Secure Boot, whose image demo@2 was signed with it."""
    paths = bootable(tmp_path / "site")
    kernel = artifact(paths, KERNEL.read_bytes())
    store.publish(paths, store.find(paths, "demo").model_copy(update={"kernel": kernel}))
    # They are no programs.
    shutil.rmtree(paths.state / "loaders")
    secureboot.init(paths)
    secureboot.sign(paths, say=lambda _: None)
    return paths


def section(generation: Generation, paths: Paths, name: str, folder: Path) -> bytes:
    """A section of a unified kernel image, as binutils read it."""
    assert generation.uki is not None
    output = folder / "section"
    file = store.artifact_path(paths, generation.uki.digest)
    run(["objcopy", "--output-target", "binary", "--only-section", name, file, output])
    return output.read_bytes()


def keys_within(generation: Generation, paths: Paths, folder: Path) -> dict[str, bytes]:
    """The files that the machine gets beside stage 1."""
    stage1 = store.artifact_path(paths, generation.boot_set.stage1.digest).read_bytes()
    initrd = section(generation, paths, ".initrd", folder)
    assert initrd.startswith(stage1)
    entries = cpio.unpack(initrd[len(stage1) :].lstrip(b"\0"))
    return {each.path.removeprefix(f"{FOLDER}/"): each.content for each in entries if each.path != FOLDER}


def signed_rows(paths: Paths) -> dict[str, bool]:
    return {row.what: row.signed for row in secureboot.status(paths) if "@" in row.what}


def test_it_holds_kernel_stage_1_and_the_keys_of_the_site_and_is_signed(paths: Paths, tmp_path: Path) -> None:
    made = store.find(paths, "demo")
    assert made.uki is not None
    kernel = store.artifact_path(paths, made.boot_set.kernel.digest).read_bytes()
    current, following = store.signing_keys(paths).public()

    assert made.name == "demo@3"
    assert is_signed(store.artifact_path(paths, made.uki.digest), BootKey.below(paths.keys))
    assert section(made, paths, ".linux", tmp_path) == kernel
    assert section(made, paths, ".uname", tmp_path) == made.kernel_release.encode()
    assert b'PRETTY_NAME="demo@3"\n' in section(made, paths, ".osrel", tmp_path)
    assert keys_within(made, paths, tmp_path) == {
        "generation": b"demo@3\n",
        "key-1.pem": current,
        "key-2.pem": following,
    }


def test_the_same_parts_give_the_same_program(paths: Paths) -> None:
    made, stub = store.find(paths, "demo"), (unified.STUBS / "linuxx64.efi.stub").read_bytes()

    first, again = (unified.image_of(paths, made, stub, b"") for _ in range(2))

    assert first == again
    assert first != unified.image_of(paths, made, stub, b"an authority")


def test_signing_again_changes_nothing_and_the_status_tells_of_it(paths: Paths) -> None:
    before, said = store.find(paths, "demo"), list[str]()

    secureboot.sign(paths, say=said.append)

    assert (said, store.find(paths, "demo")) == ([], before)
    assert signed_rows(paths) == {"demo@3": True, "demo@3 unified": True}


def test_a_generation_whose_kernel_is_signed_gets_one_and_stays_the_same_generation(paths: Paths) -> None:
    copied = imagestore.copy(paths, "demo", "other").generation
    assert (copied.uki, signed_rows(paths)["other@1 unified"]) == (None, False)
    said: list[str] = []

    secureboot.sign(paths, say=said.append)

    assert said == ["signed kernel and stage 1 of other@1 as one"]
    assert signed_rows(paths)["other@1 unified"]
    assert store.find(paths, "other").model_copy(update={"uki": None, "uki_anchor": "", "signature": ""}) == (
        copied.model_copy(update={"signature": ""})
    )


def test_a_key_that_signs_no_kernels_signs_them_with_their_stage_1_alone(paths: Paths) -> None:
    shutil.rmtree(paths.keys)
    secureboot.init(paths, kernels=False)
    imagetrust.sign(paths)

    secureboot.sign(paths, say=lambda _: None)

    assert signed_rows(paths) == {"demo@3": False, "demo@3 unified": True}


def test_after_a_rotation_of_the_sites_key_it_is_made_with_the_next_one(paths: Paths, tmp_path: Path) -> None:
    before = store.find(paths, "demo")
    keys.rotate_signing(paths)
    after = store.find(paths, "demo")

    assert not unified.is_current(paths, before)
    assert unified.is_current(paths, after)
    assert keys_within(after, paths, tmp_path)["key-1.pem"] == store.signing_keys(paths).public()[0]


@pytest.mark.parametrize("part", ["kernel", "stage1"])
def test_a_file_that_somebody_altered_in_the_store_is_not_signed(paths: Paths, part: str) -> None:
    whole = imagestore.copy(paths, "demo", "other").generation
    file = store.artifact_path(paths, whole.artifacts[part].digest)
    file.write_bytes(file.read_bytes() + b"more")

    with pytest.raises(IntegrityError, match="is damaged"):
        secureboot.sign(paths, say=lambda _: None)
    assert store.find(paths, "other").uki is None


def test_a_kernel_that_somebody_altered_in_the_store_is_not_signed_by_itself(paths: Paths) -> None:
    made = store.publish(paths, store.find(paths, "demo@2"))
    file = store.artifact_path(paths, made.boot_set.kernel.digest)
    file.write_bytes(Path("/usr/lib/ipxe/ipxe.efi").read_bytes())

    with pytest.raises(IntegrityError, match="is damaged"):
        secureboot.sign(paths, say=lambda _: None)
    assert store.find(paths, "demo") == made


@pytest.mark.parametrize("update", [{"verity_root": "0" * 64}, {"verity_root": "0" * 64, "signature": ""}])
def test_a_record_that_somebody_altered_in_the_store_gets_no_new_signature(
    paths: Paths, update: dict[str, str]
) -> None:
    whole = imagestore.copy(paths, "demo", "other").generation
    ImageFolder.of(paths, "other").add(whole.model_copy(update=update))
    altered = store.find(paths, "other")

    with pytest.raises(IntegrityError, match="nothing of other@1 is signed for Secure Boot"):
        secureboot.sign(paths, say=lambda _: None)
    keys.rotate_signing(paths)
    assert store.find(paths, "other") == altered


def test_a_copy_of_a_record_that_somebody_altered_is_none(paths: Paths) -> None:
    ImageFolder.of(paths, "demo").add(store.find(paths, "demo").model_copy(update={"verity_root": "0" * 64}))

    with pytest.raises(IntegrityError, match="is not what this site signed"):
        imagestore.copy(paths, "demo", "other")


def test_what_another_site_signed_is_not_taken_over(paths: Paths, tmp_path: Path) -> None:
    there = bootable(tmp_path / "there")
    index = imagebundle.export(paths, ["demo@3"], str(tmp_path / "bundle"))

    loaded, _ = imagebundle.load(there, str(tmp_path / "bundle")).generations[0]

    assert [each.uki for each in index.generations] == [None]
    assert (loaded.uki, loaded.uki_anchor) == (None, "")


def test_without_a_stub_it_says_what_to_install(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unified, "STUBS", tmp_path)
    keys_before = store.find(paths, "demo")

    with pytest.raises(UnavailableError, match="joins kernel and stage 1") as caught:
        unified.joined(paths, keys_before, work=tmp_path, say=lambda _: None)
    assert "apt-get install systemd-boot-efi" in (caught.value.hint or "")


def test_a_site_without_a_key_and_a_processor_without_a_stub_have_none(paths: Paths, tmp_path: Path) -> None:
    made = store.find(paths, "demo").model_copy(update={"uki": None})
    arm = made.model_copy(update={"architecture": "aarch64"})
    assert made.architecture in ARCHITECTURES
    assert arm.architecture not in ARCHITECTURES
    assert unified.joined(paths, arm, work=tmp_path, say=lambda _: None) == arm

    shutil.rmtree(paths.keys)

    assert unified.joined(paths, made, work=tmp_path, say=lambda _: None) == made
    assert not unified.wants(paths, made)
