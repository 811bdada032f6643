"""The shipped recipe, built from Debian's real packages, and the same tree once more through an OCI layout."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from provisioner.config.paths import Paths, shipped_data
from provisioner.errors import CommandError, IntegrityError
from provisioner.image import inventory, kernel, modules, squashfs, stage1, store
from provisioner.image.codec import Codec
from provisioner.model.image import Generation
from provisioner.operations.imagebuild import Places, build_image
from provisioner.operations.imageimport import import_image
from tests.support.oci import Layout

NEEDED = ("mmdebstrap", "dracut", "mksquashfs", "unsquashfs", "zstd", "cpio", "depmod", "modinfo")
pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.needs(*NEEDED),
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return Paths.below(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def built(paths: Paths) -> Generation:
    return build_image(paths, "debian-12").generation


@pytest.fixture(scope="module")
def tree(paths: Paths, built: Generation) -> Path:
    return store.tree_path(paths, built.tree)


def names_in(packed: Path) -> list[str]:
    content = subprocess.run(["zstd", "-dc", packed], capture_output=True, check=True).stdout
    listed = subprocess.run(["cpio", "--list", "--quiet"], input=content, capture_output=True, check=True)
    return listed.stdout.decode().splitlines()


def test_the_image_is_debian_12_with_a_kernel_and_no_warning(built: Generation) -> None:
    assert (built.os_id, built.os_version) == ("debian", "12")
    assert built.kernel_release.endswith("-cloud-amd64")
    assert built.warnings == ()


def test_nobody_logs_in_with_a_password(tree: Path) -> None:
    hashes = [line.split(":")[1] for line in (tree / "etc/shadow").read_text().splitlines()]

    assert set(hashes) <= {"*", "!", "!*"}


def test_the_image_carries_no_identity(tree: Path) -> None:
    assert (tree / "etc/machine-id").read_text() == "uninitialized\n"
    assert not (tree / "etc/hostname").exists()
    assert not list((tree / "etc/ssh").glob("ssh_host_*"))


def test_masked_units_never_start(tree: Path) -> None:
    assert str((tree / "etc/systemd/system/apt-daily.timer").readlink()) == "/dev/null"


def test_the_root_is_zstd_and_complete(paths: Paths, built: Generation) -> None:
    root = store.artifact_path(paths, built.boot_set.root.digest)
    listed = subprocess.run(["unsquashfs", "-l", "-d", "", root], capture_output=True, text=True, check=True)

    assert squashfs.codec_of(root) is Codec.ZSTD
    assert f"/usr/lib/modules/{built.kernel_release}/modules.dep" in listed.stdout.splitlines()
    assert not [line for line in listed.stdout.splitlines() if line.startswith("/boot/")]


def test_stage_1_has_what_it_needs_and_no_systemd(paths: Paths, built: Generation) -> None:
    names = names_in(store.artifact_path(paths, built.boot_set.stage1.digest))

    for wanted in (
        "virtio_net.ko",
        "squashfs.ko",
        "overlay.ko",
        "loop.ko",
        "bin/curl",
        "lib/provisioner/stage1.sh",
    ):
        assert any(name.endswith(wanted) for name in names), wanted
    assert not [name for name in names if name.endswith("systemd/systemd")]


def test_the_tree_is_the_same_through_an_oci_layout(
    paths: Paths, built: Generation, tree: Path, tmp_path: Path
) -> None:
    tar = [
        "tar",
        "-C",
        str(tree),
        "--format=pax",
        "--numeric-owner",
        "--xattrs",
        "--xattrs-include=*",
        "--sort=name",
    ]
    archive = subprocess.run([*tar, "-c", "."], capture_output=True, check=True).stdout
    made = Layout(tmp_path / "layout")
    made.name(made.image([archive], compressions=["zstd"]))

    imported = import_image(paths, f"oci:{made.folder}", "imported").generation

    assert imported.tree == built.tree
    assert (imported.kernel, imported.stage1) == (built.kernel, built.stage1)
    assert imported.removed == ()


def test_the_list_of_the_tree_names_every_file(paths: Paths, built: Generation) -> None:
    lines = store.manifest_path(paths, built.tree).read_text().splitlines()

    paths_in_list = [json.loads(line)["path"] for line in lines]
    assert len(paths_in_list) == built.entries
    assert f"boot/vmlinuz-{built.kernel_release}" in paths_in_list


@pytest.mark.needs("systemctl", "dpkg-query")
def test_the_inventory_says_what_systemctl_and_dpkg_say(paths: Paths, built: Generation, tree: Path) -> None:
    facts, files = inventory.inventory(paths, built), inventory.files(paths, built)
    assert facts is not None
    assert files is not None
    units = ["systemctl", f"--root={tree}", "list-unit-files", "--no-legend", "--no-pager"]
    listed = subprocess.run(units, capture_output=True, text=True, check=True).stdout.splitlines()
    query = ["dpkg-query", f"--admindir={tree}/var/lib/dpkg", "-Wf", "${Package} ${Version} ${Architecture}\n"]
    packages = subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()

    assert {unit.name: unit.state for unit in facts.units} == dict(line.split()[:2] for line in listed)
    assert {f"{each.name} {each.version} {each.architecture}" for each in facts.packages} == set(packages)
    assert len(files) == built.entries
    assert files["/usr/sbin/sshd"].package == "openssh-server"
    assert [each.name for each in facts.services if each.enabled and each.name == "sshd"] == ["sshd"]
    assert facts.kernels[-1].release == built.kernel_release


def test_a_module_that_asks_for_a_file_of_this_machine_is_refused(tree: Path, tmp_path: Path) -> None:
    chosen = kernel.find(tree)[-1]
    folder = tmp_path / "modules"
    folder.mkdir()
    original = next(file for file in sorted(chosen.modules.rglob("*.ko")) if b"\0firmware=" in file.read_bytes())
    before, _, after = original.read_bytes().partition(b"\0firmware=")
    name, _, rest = after.partition(b"\0")
    (folder / "evil.ko").write_bytes(
        before + b"\0firmware=" + b"../etc/shadow".ljust(len(name), b"x") + b"\0" + rest
    )

    with pytest.raises(IntegrityError, match=r"firmware '\.\./etc/shadow"):
        modules.copy_modules(kernel.Kernel(chosen.release, chosen.file, folder), tmp_path / "copy")


def test_firmware_that_a_driver_asks_for_is_where_the_kernel_looks(tree: Path, tmp_path: Path) -> None:
    dracut_module = tmp_path / "90provisioner"
    shutil.copytree(shipped_data() / "images/stage1/90provisioner", dracut_module)
    setup = dracut_module / "module-setup.sh"
    setup.write_text(setup.read_text() + 'eval "with_$(declare -f installkernel)"\n')
    setup.write_text(setup.read_text() + "installkernel() { with_installkernel; instmods jr3_pci; }\n")
    firmware = tmp_path / "root/usr/lib/firmware/comedi"
    firmware.mkdir(parents=True)
    (firmware / "real").write_text("firmware")
    (firmware / "jr3pci.idm").symlink_to("real")
    (tmp_path / "root/lib").symlink_to("/usr/lib")
    (tmp_path / "scratch").mkdir()

    chosen, output = kernel.find(tree)[-1], tmp_path / "stage1"
    stage1.build(
        tmp_path / "root",
        chosen,
        stage1.Wish(dracut_module, Codec.ZSTD),
        output=output,
        scratch=tmp_path / "scratch",
    )

    assert {"usr/lib/firmware/comedi/jr3pci.idm", "usr/lib/firmware/comedi/real"} <= set(names_in(output))


def test_a_mirror_that_does_not_answer_is_told_with_the_log(paths: Paths) -> None:
    with pytest.raises(CommandError, match=r"Connection refused|Could not connect") as caught:
        build_image(paths, "debian-12", image="broken", places=Places(mirror="http://127.0.0.1:9/debian"))

    assert "--mirror" in (caught.value.hint or "")
    assert list((paths.images / "tmp").iterdir()) == []
