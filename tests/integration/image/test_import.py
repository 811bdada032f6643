"""Images imported whole: real layout, dracut and squashfs; only the kernel is a header that does not run."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from provisioner.cli.image import command
from provisioner.config.paths import Paths
from provisioner.errors import IntegrityError, NotFoundError, ProvisionerError
from provisioner.image import store
from provisioner.operations.imageimport import import_image, terms_for
from provisioner.operations.images import list_images, show_image
from provisioner.operations.imagestore import verify
from tests.support.oci import Layout, Tar, bootable_layer, layout

NEEDED = ("dracut", "mksquashfs", "zstd", "cpio", "depmod")
pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs(*NEEDED)]


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.below(tmp_path / "site")


def leftovers(paths: Paths) -> list[Path]:
    return list((paths.images / "tmp").iterdir())


def test_an_import_makes_the_first_generation(paths: Paths, tmp_path: Path) -> None:
    steps: list[str] = []
    source = f"oci:{layout(tmp_path / 'layout', [bootable_layer()])}"

    outcome = import_image(paths, source, "toy", terms_for(paths, say=steps.append))

    made = outcome.generation
    assert outcome.is_new
    assert (made.name, made.os_name, made.kernel_release) == ("toy@1", "Toy Linux 1", "6.1.0-1-test")
    assert (made.origin.kind, made.origin.reference) == ("oci", source)
    assert steps[0] == "verify the blobs"
    assert show_image(paths, "toy") == made
    assert leftovers(paths) == []


def test_every_artifact_is_what_its_name_says_and_readable_for_the_daemon(paths: Paths, tmp_path: Path) -> None:
    source = f"oci:{layout(tmp_path / 'layout', [bootable_layer()])}"

    made = import_image(paths, source, "toy").generation

    for artifact in made.boot_set:
        place = store.artifact_path(paths, artifact.digest)
        done = subprocess.run(["sha256sum", place], capture_output=True, text=True, check=True)
        assert f"sha256:{done.stdout.split()[0]}" == artifact.digest
        assert place.stat().st_size == artifact.size
        assert stat.S_IMODE(place.stat().st_mode) == 0o644
        assert all(stat.S_IMODE(folder.stat().st_mode) & 0o005 for folder in [*place.parents][:3])


def test_the_same_image_again_makes_no_generation(paths: Paths, tmp_path: Path) -> None:
    source = f"oci:{layout(tmp_path / 'layout', [bootable_layer()])}"
    first = import_image(paths, source, "toy")

    again = import_image(paths, source, "toy")

    assert (again.is_new, again.generation) == (False, first.generation)
    assert len(list_images(paths)) == 1


def test_a_changed_image_is_the_next_generation_and_the_old_one_stays(paths: Paths, tmp_path: Path) -> None:
    import_image(paths, f"oci:{layout(tmp_path / 'one', [bootable_layer()])}", "toy")
    changed = [bootable_layer(), Tar().add("etc/motd", data=b"hello").done()]

    made = import_image(paths, f"oci:{layout(tmp_path / 'two', changed)}", "toy").generation

    assert made.name == "toy@2"
    assert [(each.name, current) for each, current in list_images(paths)] == [("toy@1", False), ("toy@2", True)]
    assert (store.tree_path(paths, made.tree) / "etc/motd").read_text() == "hello"


def test_what_belongs_to_the_builder_is_removed_and_listed(paths: Paths, tmp_path: Path) -> None:
    extra = Tar().add("etc/hostname", data=b"builder\n").add("etc/ssh/ssh_host_rsa_key", data=b"key")

    source = layout(tmp_path / "layout", [bootable_layer(), extra.add("etc/machine-id", data=b"0123").done()])
    made = import_image(paths, f"oci:{source}", "toy").generation

    assert made.removed == ("/etc/hostname", "/etc/machine-id", "/etc/ssh/ssh_host_rsa_key")


def test_a_container_without_kernel_becomes_a_base(paths: Paths, tmp_path: Path) -> None:
    source = layout(tmp_path / "layout", [Tar().add("bin/sh", data=b"#!").done()])

    made = import_image(paths, f"oci:{source}", "bare").generation

    assert not made.boots
    assert made.lacks == ("a kernel with its modules", "an init (/sbin/init)")
    assert (store.tree_path(paths, made.tree) / "bin/sh").read_bytes() == b"#!"
    assert leftovers(paths) == []


def test_the_command_says_what_a_base_lacks_and_what_helps(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path / "site")
    source = layout(tmp_path / "layout", [Tar().add("bin/sh", data=b"#!").done()])

    done = CliRunner().invoke(command, ["import", str(source), "bare"], obj=paths, catch_exceptions=False)

    assert done.stdout.splitlines() == [
        "bare@1 is made and current, a base: it lacks a kernel with its modules and an init (/sbin/init)",
        "prov image build RECIPE --from bare --name NAME adds what is missing",
    ]
    assert f"take {source} for an OCI layout (oci) ..." in done.stderr


def test_a_base_does_not_take_the_place_of_an_image_that_boots(paths: Paths, tmp_path: Path) -> None:
    import_image(paths, f"oci:{layout(tmp_path / 'one', [bootable_layer()])}", "toy")
    bare = layout(tmp_path / "two", [Tar().add("bin/sh", data=b"#!").done()])

    with pytest.raises(ProvisionerError, match="would take the place of toy@1, which boots"):
        import_image(paths, f"oci:{bare}", "toy")
    assert leftovers(paths) == []


def test_the_origin_is_kept_with_platform_and_who_made_it(paths: Paths, tmp_path: Path) -> None:
    made = import_image(paths, f"oci:{layout(tmp_path / 'one', [bootable_layer()])}", "toy").generation

    assert (made.origin.platform, made.origin.signature) == ("linux/amd64", "")
    assert (made.origin.digest or "").startswith("sha256:")
    assert made.made_by


def test_a_hostile_image_cannot_hurt_the_steps_after_unpacking(paths: Paths, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "lib/modules/6.1.0-1-test").mkdir(parents=True)
    for name in ("hostname", "machine-id", "lib/modules/6.1.0-1-test/modules.dep", "secret.ko"):
        (outside / name).write_text("secret")
    links = Tar().add("etc", "symlink", link=str(outside)).add("lib", "symlink", link=f"{outside}/lib")
    links.add("usr/lib/modules/6.1.0-1-test/kernel/leak.ko", "symlink", link=f"{outside}/secret.ko")
    source = layout(tmp_path / "layout", [bootable_layer(), links.done()])

    made = import_image(paths, f"oci:{source}", "toy").generation

    assert not made.boots
    assert {path.read_text() for path in outside.rglob("*") if path.is_file()} == {"secret"}


def test_a_module_that_links_to_a_file_of_this_machine_does_not_reach_stage_1(
    paths: Paths, tmp_path: Path
) -> None:
    (tmp_path / "secret.ko").write_text("secret of this machine")
    place = "usr/lib/modules/6.1.0-1-test/kernel/drivers/net/ethernet/virtio_net.ko"
    firmware = "usr/lib/firmware/leak"
    links = Tar().add(place, "symlink", link=str(tmp_path / "secret.ko"))
    links.add(firmware, "symlink", link=str(tmp_path / "secret.ko"))
    source = layout(tmp_path / "layout", [bootable_layer(), links.done()])

    made = import_image(paths, f"oci:{source}", "toy").generation

    packed = store.artifact_path(paths, made.boot_set.stage1.digest)
    content = subprocess.run(["zstd", "-dc", packed], capture_output=True, check=True).stdout
    assert b"secret of this machine" not in content


def test_a_damaged_layout_leaves_nothing(paths: Paths, tmp_path: Path) -> None:
    made = Layout(tmp_path / "layout")
    made.name(made.image([bootable_layer()], diff_ids=["sha256:" + "0" * 64]))

    with pytest.raises(IntegrityError):
        import_image(paths, f"oci:{made.folder}", "toy")
    assert leftovers(paths) == []
    assert list_images(paths) == ()


@pytest.mark.needs("skopeo")
def test_a_layout_made_by_skopeo_is_imported(paths: Paths, tmp_path: Path) -> None:
    layout(tmp_path / "mine", [bootable_layer(), Tar().add("etc/motd", data=b"hello").done()])
    policy = tmp_path / "policy.json"
    policy.write_text('{"default":[{"type":"insecureAcceptAnything"}]}')
    skopeo = ["skopeo", "--policy", str(policy), "copy", "--quiet"]
    archive, theirs = f"docker-archive:{tmp_path / 'archive.tar'}:toy:1", f"oci:{tmp_path / 'theirs'}:1"
    for pair in ((f"oci:{tmp_path / 'mine'}:latest", archive), (archive, theirs)):
        subprocess.run([*skopeo, *pair], check=True, env={**os.environ, "TMPDIR": str(tmp_path)})

    first = import_image(paths, f"oci:{tmp_path / 'mine'}", "toy")
    again = import_image(paths, theirs, "toy")

    assert (again.is_new, again.generation) == (False, first.generation)


def test_the_commands_print_what_was_made(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path / "site")
    source = f"oci:{layout(tmp_path / 'layout', [bootable_layer()])}"

    made = CliRunner().invoke(command, ["import", source, "toy"], obj=paths, catch_exceptions=False)
    again = CliRunner().invoke(command, ["import", source, "toy", "--format", "json"], obj=paths)
    listed = CliRunner().invoke(command, ["list"], obj=paths)
    shown = CliRunner().invoke(command, ["show", "toy@1", "--format", "json"], obj=paths)

    assert made.stdout.splitlines()[-1] == "toy@1 is made and current"
    assert json.loads(again.stdout)["new"] is False
    assert listed.stdout.splitlines()[1].split()[:4] == ["toy@1", "yes", "Toy", "Linux"]
    assert json.loads(shown.stdout)["kernel_release"] == "6.1.0-1-test"


def test_an_image_that_is_not_there_is_named(paths: Paths) -> None:
    with pytest.raises(NotFoundError, match="there is no image nope"):
        show_image(paths, "nope")


def test_a_tree_comes_back_with_the_commands_that_verify_names(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/motd").write_text("hello")
    made = import_image(paths, f"dir:{tmp_path / 'root'}", "toy").generation
    tree = store.tree_path(paths, made.tree)

    (tree / "etc/motd").write_text("hallo")
    (damage,) = verify(paths, deep=True)[1]
    remove, _, again = damage.remedy.partition(", then ")
    assert again == f"prov image import dir:{tmp_path / 'root'} toy"
    subprocess.run(["sh", "-c", remove], check=True)
    assert [each.remedy for each in verify(paths)[1]] == [again]

    assert not import_image(paths, f"dir:{tmp_path / 'root'}", "toy").is_new
    assert verify(paths, deep=True) == (1, ())
