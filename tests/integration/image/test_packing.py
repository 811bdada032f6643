"""How an image is packed: what is left out, what stage 1 must have, how hard to compress; and twice the same."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError, ProvisionerError
from provisioner.image import squashfs, store
from provisioner.image.build import Obtained, Outcome, build
from provisioner.image.codec import Codec
from provisioner.image.copies import copy_tree
from provisioner.image.remap import Accounts
from provisioner.model.image import Generation, Origin, Packing
from provisioner.operations.imagebuild import build_image
from provisioner.operations.imageexec import Room, exec_image
from provisioner.operations.imageinspect import inspect_image
from provisioner.operations.syncuser import Model, plan_sync, sync_users

NEEDED = ("mmdebstrap", "dracut", "mksquashfs", "unsquashfs", "zstd", "cpio", "depmod", "modinfo")
pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.needs(*NEEDED),
    pytest.mark.timeout(900),
]

SPARE = Packing(excludes=("/usr/share/zoneinfo/*", "*.pyc"), drivers=("dm_mod", "isofs"), codec="gzip")


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return Paths.below(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def debian(paths: Paths) -> Generation:
    return build_image(paths, "debian-12").generation


@pytest.fixture(scope="module")
def spare(paths: Paths, debian: Generation) -> Generation:
    return repack(paths, debian, SPARE).generation


def repack(paths: Paths, debian: Generation, packing: Packing) -> Outcome:
    """The tree of an image packed in another way, as the image `spare`."""

    def obtain(tree: Path) -> Obtained:
        copy_tree(store.tree_path(paths, debian.tree), tree)
        return Obtained(Origin(kind="directory", reference="tests"), 1_700_000_000)

    return build(paths, "spare", obtain, say=lambda _: None, packing=packing)


def root_of(paths: Paths, generation: Generation) -> Path:
    return store.artifact_path(paths, generation.boot_set.root.digest)


def drivers_in(paths: Paths, generation: Generation) -> set[str]:
    packed = store.artifact_path(paths, generation.boot_set.stage1.digest)
    content = subprocess.run(["zstd", "-dc", packed], capture_output=True, check=True).stdout
    listed = subprocess.run(["cpio", "--list", "--quiet"], input=content, capture_output=True, check=True)
    names = listed.stdout.decode().splitlines()
    return {name.rpartition("/")[2].partition(".ko")[0].replace("-", "_") for name in names if ".ko" in name}


def test_what_is_excluded_is_in_the_tree_and_not_in_the_root(paths: Paths, spare: Generation) -> None:
    names = squashfs.names(root_of(paths, spare))

    assert list((store.tree_path(paths, spare.tree) / "usr/share/zoneinfo").iterdir())
    assert "/usr/share/zoneinfo" in names
    assert not [name for name in names if name.startswith("/usr/share/zoneinfo/") or name.endswith(".pyc")]


def test_drivers_that_were_asked_for_are_in_stage_1(paths: Paths, debian: Generation, spare: Generation) -> None:
    assert {"dm_mod", "isofs"} <= drivers_in(paths, spare)
    assert "isofs" not in drivers_in(paths, debian)


def test_the_packing_is_kept_with_the_generation(paths: Paths, spare: Generation) -> None:
    assert store.find(paths, spare.name).packing == SPARE
    assert squashfs.codec_of(root_of(paths, spare)) is Codec.GZIP


def test_packed_again_it_is_the_same(paths: Paths, debian: Generation, spare: Generation) -> None:
    again = repack(paths, debian, SPARE).generation

    assert (again.tree, again.boot_set) == (spare.tree, spare.boot_set)


def test_a_driver_that_the_kernel_lacks_is_named(paths: Paths, debian: Generation) -> None:
    with pytest.raises(NotFoundError, match=f"kernel {debian.kernel_release} .* no driver mlx6_core"):
        repack(paths, debian, Packing(drivers=("mlx6-core", "isofs")))


def test_a_driver_that_is_built_in_needs_no_module(paths: Paths, debian: Generation) -> None:
    listed = store.tree_path(paths, debian.tree) / f"lib/modules/{debian.kernel_release}/modules.builtin"
    built_in = Path(listed.read_text().split()[0]).name.partition(".ko")[0]

    assert repack(paths, debian, Packing(drivers=(built_in,))).generation.packing.drivers == (built_in,)


@pytest.mark.parametrize("pattern", ["/usr/lib/systemd/*", "modules.dep", "/usr"])
def test_nobody_excludes_what_a_node_needs_to_start(paths: Paths, debian: Generation, pattern: str) -> None:
    with pytest.raises(ProvisionerError, match="without which no node starts"):
        repack(paths, debian, Packing(excludes=(pattern,)))


def test_a_kernel_that_is_not_there_is_refused_with_those_that_are(paths: Paths, debian: Generation) -> None:
    with pytest.raises(NotFoundError, match=r"no kernel 5\.14") as caught:
        repack(paths, debian, Packing(release="5.14"))

    assert debian.kernel_release in (caught.value.hint or "")


def test_a_release_is_packed_smaller(paths: Paths, debian: Generation) -> None:
    found = repack(paths, debian, Packing(profile="release")).generation

    assert found.boot_set.root.size < debian.boot_set.root.size
    assert found.boot_set.stage1.size < debian.boot_set.stage1.size


def test_what_is_made_of_a_generation_is_packed_like_it_and_boots(paths: Paths, spare: Generation) -> None:
    done = exec_image(paths, spare.name, ["touch", "/etc/site"], Room(interactive=False))

    assert done.made is not None
    made = done.made.generation
    assert made.boots
    assert made.packing == SPARE
    assert (made.boot_set.kernel, made.boot_set.stage1) == (spare.boot_set.kernel, spare.boot_set.stage1)
    assert "/etc/site" in squashfs.names(root_of(paths, made))


def test_packages_are_installed_and_removed_by_the_images_own_tools(paths: Paths, debian: Generation) -> None:
    script = "dpkg --remove --force-depends nano vim-tiny less || exit 1; systemctl enable debug-shell.service"

    done = exec_image(paths, debian.name, ["sh", "-c", script], Room(interactive=False))

    assert done.made is not None
    tree = store.tree_path(paths, done.made.generation.tree)
    assert (tree / "etc/systemd/system/sysinit.target.wants/debug-shell.service").is_symlink()


def test_ids_move_in_a_whole_system_and_nothing_else_changes(paths: Paths, debian: Generation) -> None:
    tree = store.tree_path(paths, debian.tree)
    before = {path.relative_to(tree): path.lstat() for path in tree.rglob("*")}
    model = Model("tests", Accounts(users=(("messagebus", 481),), groups=(("messagebus", 482), ("shadow", 444))))

    made = sync_users(paths, plan_sync(paths, debian.name, model)).generation

    after_tree = store.tree_path(paths, made.tree)
    after = {path.relative_to(after_tree): path.lstat() for path in after_tree.rglob("*")}
    assert set(after) == set(before)
    moved = {path for path in before if before[path].st_gid != after[path].st_gid}
    assert Path("etc/shadow") in moved
    assert {path: before[path].st_mode for path in before} == {path: after[path].st_mode for path in after}
    assert sync_users(paths, plan_sync(paths, debian.name, model)).generation.tree == made.tree


def test_a_look_inside_says_what_is_there(paths: Paths, debian: Generation) -> None:
    found = inspect_image(paths, debian.name, top=3)

    assert found["cpu"] == {"level": "x86-64", "evidence": "as /lib/x86_64-linux-gnu/libc.so.6 says"}
    assert [each["release"] for each in found["kernels"]] == [debian.kernel_release]
    assert found["largest"][0]["package"].startswith("linux-image-")
    assert len(found["largest"]) == 3
    assert found["users"] == ["root"]


def test_a_generation_is_packed_in_another_way_without_a_change(paths: Paths, spare: Generation) -> None:
    done = exec_image(
        paths, spare.name, ["true"], Room(interactive=False), packing=Packing(codec="zstd", release="6.1")
    )

    assert done.made is not None
    made = done.made.generation
    assert made.tree == spare.tree
    assert made.packing == SPARE.model_copy(update={"codec": "zstd", "release": "6.1"})
    assert squashfs.codec_of(root_of(paths, made)) is Codec.ZSTD
