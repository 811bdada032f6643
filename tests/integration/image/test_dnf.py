"""The shipped recipes of Enterprise Linux, built by the real dnf from el-shaped packages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import CommandError, NotFoundError, ProvisionerError
from provisioner.image import inventory, store
from provisioner.model.image import Generation
from provisioner.model.inventory import Inventory
from provisioner.operations.imagebuild import Places, build_image
from provisioner.operations.imageimport import import_image
from tests.support.elshaped.container import BARE, bare_container
from tests.support.elshaped.flavour import CENTOS_7, ROCKY_9
from tests.support.elshaped.images import places
from tests.support.elshaped.repository import NEEDED, Repositories, repositories

PACKING = ("dracut", "mksquashfs", "zstd", "cpio", "depmod", "modinfo")
pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.needs(*NEEDED, *PACKING),
    pytest.mark.timeout(1800),
]

LAYER = """\
kind: dnf
base: rocky-9
packages: [slurm]
groups: [scientific]
remove: [ethtool]
mask: [systemd-networkd.service]
exclude: [/usr/share/licenses/*, /etc/motd]
commands:
  - echo "made by $(cat /etc/redhat-release)" > /etc/issue.d.txt
"""


@pytest.fixture(scope="module")
def packages() -> Repositories:
    return repositories()


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return Paths.below(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def rocky(paths: Paths, packages: Repositories) -> Generation:
    return build_image(paths, "rocky-9", places=places(packages, ROCKY_9)).generation


@pytest.fixture(scope="module")
def centos(paths: Paths, packages: Repositories) -> Generation:
    return build_image(paths, "centos-7", places=places(packages, CENTOS_7)).generation


def held(paths: Paths, generation: Generation) -> Inventory:
    found = inventory.inventory(paths, generation)
    assert found is not None
    return found


def versions(paths: Paths, generation: Generation) -> dict[str, str]:
    return {each.name: each.version for each in held(paths, generation).packages}


def write_recipe(paths: Paths, name: str, text: str) -> None:
    file = paths.site / "images" / name / "recipe.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(text)


def test_rocky_9_is_built_from_an_el_shaped_repository_without_a_warning(paths: Paths, rocky: Generation) -> None:
    assert (rocky.os_id, rocky.os_version, rocky.warnings) == ("rocky", "9.6", ())
    assert rocky.boots
    assert rocky.kernel_release.endswith("-cloud-amd64")
    assert versions(paths, rocky)["glibc"] == "2.34-168.el9_6.14"


def test_what_the_recipe_enables_starts_and_nothing_that_it_masks(paths: Paths, rocky: Generation) -> None:
    units = {unit.name: unit for unit in held(paths, rocky).units}

    assert units["sshd.service"].starts
    assert units["NetworkManager.service"].starts
    assert units["dnf-makecache.timer"].state == "masked"


def test_a_second_el_shaped_build_gives_the_same_bytes(
    paths: Paths, packages: Repositories, rocky: Generation
) -> None:
    again = build_image(paths, "rocky-9", image="again", places=places(packages, ROCKY_9)).generation

    assert (again.tree, again.boot_set) == (rocky.tree, rocky.boot_set)


def test_the_database_of_an_el_shaped_centos_7_is_a_berkeley_database(paths: Paths, centos: Generation) -> None:
    folder = store.tree_path(paths, centos.tree) / "var/lib/rpm"

    assert [file.name for file in folder.iterdir()] == ["Packages"]
    # The magic number of a hash (db.h), after the log sequence number and the page number.
    assert (folder / "Packages").read_bytes()[12:16] == (0x061561).to_bytes(4, "little")
    found = versions(paths, centos)
    assert (found["systemd"], found["openssh-server"]) == ("219-78.el7_9.9", "7.4p1-23.el7_9")


def test_an_el_shaped_centos_7_has_its_kernel_in_boot_and_network_scripts(
    paths: Paths, centos: Generation
) -> None:
    tree = store.tree_path(paths, centos.tree)

    assert (tree / "boot" / f"vmlinuz-{centos.kernel_release}").is_file()
    assert [(each.name, each.enabled) for each in held(paths, centos).network] == [
        ("systemd-networkd", False),
        ("network-scripts", True),
    ]


def test_a_layer_of_the_site_adds_and_removes_packages_and_runs_commands(
    paths: Paths, packages: Repositories
) -> None:
    write_recipe(paths, "mine", LAYER)

    made = build_image(paths, "mine", places=places(packages, ROCKY_9)).generation

    found, tree = versions(paths, made), store.tree_path(paths, made.tree)
    assert {"slurm", "numactl", "hwloc", "kernel-core"} <= set(found)
    assert "ethtool" not in found
    assert ("slurm", 64030) in [(user.name, user.uid) for user in held(paths, made).users]
    assert (tree / "etc/issue.d.txt").read_text() == "made by Rocky Linux release 9.6 (Blue Onyx)\n"
    assert str((tree / "etc/systemd/system/systemd-networkd.service").readlink()) == "/dev/null"


def test_a_build_leaves_no_mount_and_no_trace_of_itself(paths: Paths, rocky: Generation) -> None:
    tree = store.tree_path(paths, rocky.tree)

    assert str(paths.images) not in Path("/proc/self/mountinfo").read_text()
    for folder in ("dev", "proc", "sys", "run", "tmp", "etc/kernel/install.d", "var/cache/dnf"):
        assert not (tree / folder).exists() or list((tree / folder).iterdir()) == []


def test_packages_that_another_key_signed_are_refused(
    paths: Paths, packages: Repositories, tmp_path: Path
) -> None:
    other = tmp_path / "other.asc"
    other.write_text("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n-----END PGP PUBLIC KEY BLOCK-----\n")

    with pytest.raises(CommandError, match=r"GPG|key"):
        build_image(paths, "rocky-9", image="forged", places=replace(places(packages, ROCKY_9), key=str(other)))
    assert store.catalogue(paths).find("forged") is None


def test_a_repository_that_does_not_answer_is_told_with_the_log(paths: Paths) -> None:
    with pytest.raises(CommandError, match="dnf failed") as caught:
        build_image(paths, "centos-7", image="broken", places=Places(mirror="http://127.0.0.1:9"))

    assert "--repo" in (caught.value.hint or "")
    assert list((paths.images / "tmp").iterdir()) == []


def test_a_folder_that_is_no_repository_is_named(paths: Paths) -> None:
    with pytest.raises(NotFoundError, match="no repository /nowhere"):
        build_image(paths, "rocky-9", image="broken", places=Places(repositories={"baseos": "file:///nowhere"}))


def test_a_repository_that_the_recipe_does_not_have_needs_a_key(paths: Paths) -> None:
    with pytest.raises(ProvisionerError, match="no repository extra in the recipe"):
        build_image(paths, "rocky-9", image="broken", places=Places(repositories={"extra": "http://127.0.0.1:9"}))


@pytest.fixture(scope="module")
def url(packages: Repositories) -> Iterator[str]:
    """The el-shaped repository of Rocky Linux over HTTP."""
    handler = partial(Quiet, directory=str(packages.folder / ROCKY_9.name))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def base(paths: Paths, packages: Repositories, url: str, tmp_path_factory: pytest.TempPathFactory) -> Generation:
    layout = bare_container(packages, tmp_path_factory.mktemp("container"), url=url)
    return import_image(paths, f"oci:{layout}", "rocky-9-base").generation


def test_a_bare_el_shaped_container_is_a_base_that_says_what_it_lacks(base: Generation) -> None:
    assert not base.boots
    assert base.lacks == ("a kernel with its modules", "an init (/sbin/init)")


def test_a_recipe_makes_a_bare_container_bootable_from_its_own_repositories(
    paths: Paths, base: Generation
) -> None:
    made = build_image(paths, "rocky-9", image="from-base", start="rocky-9-base").generation

    assert made.boots
    assert (made.parent, made.warnings) == (base.name, ())
    assert {"kernel-core", "openssh-server", "NetworkManager"} <= set(versions(paths, made))
    users = {user.name for user in held(paths, made).users}
    assert {"sshd", "systemd-network"} <= users
    log = (paths.images / "logs/from-base.log").read_text()
    assert "Rocky Linux 9 - BaseOS" in log


def test_local_repositories_serve_the_dnf_of_the_image_without_a_network(
    paths: Paths, packages: Repositories, base: Generation
) -> None:
    taken = places(packages, ROCKY_9)
    steps: list[str] = []
    made = build_image(
        paths, "rocky-9", image="local", start="rocky-9-base", places=taken, say=steps.append
    ).generation

    assert made.boots
    assert "copy the tree of rocky-9-base@1" in steps
    tree = store.tree_path(paths, made.tree)
    assert [file.name for file in (tree / "etc/yum.repos.d").iterdir()] == ["rocky.repo"]


def test_an_image_without_dnf_gets_its_packages_from_the_dnf_of_this_machine(
    paths: Paths, packages: Repositories, url: str, tmp_path: Path
) -> None:
    small = [name for name in BARE if name not in ("dnf", "yum")]
    layout = bare_container(packages, tmp_path / "small", url=url, packages=small)
    import_image(paths, f"oci:{layout}", "small-base")

    made = build_image(
        paths, "rocky-9", image="small", start="small-base", places=places(packages, ROCKY_9)
    ).generation

    assert made.boots
    assert made.warnings == ("the image has no dnf of its own: this machine's wrote its package database",)
