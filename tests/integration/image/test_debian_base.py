"""A bare Debian container becomes a node image with its own apt, from Debian's real packages."""

from __future__ import annotations

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import CommandError
from provisioner.host.run import run
from provisioner.image import apt, inventory, store
from provisioner.model.image import Generation
from provisioner.operations.imagebuild import Places, build_image
from provisioner.operations.imageimport import import_image

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.needs("mmdebstrap", "dracut", "mksquashfs", "zstd", "cpio", "depmod", "modinfo"),
    pytest.mark.timeout(1800),
]


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return Paths.below(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def base(paths: Paths, tmp_path_factory: pytest.TempPathFactory) -> Generation:
    """What a registry has as debian:12: apt, and no kernel, init or network."""
    folder = tmp_path_factory.mktemp("base")
    archive, sources = folder / "debian.tar", apt.write(folder, apt.sources("bookworm"))
    run(["mmdebstrap", "--mode=root", "--variant=apt", "bookworm", archive, sources], timeout=1200)
    return import_image(paths, f"tar:{archive}", "debian-12-base").generation


def test_a_bare_debian_is_a_base(base: Generation) -> None:
    assert base.lacks == ("a kernel with its modules", "an init (/sbin/init)")


def test_a_recipe_makes_a_bare_debian_bootable_from_its_own_sources(paths: Paths, base: Generation) -> None:
    made = build_image(paths, "debian-12", start="debian-12-base").generation

    found = inventory.inventory(paths, made)
    assert found is not None
    assert made.boots
    assert (made.parent, made.warnings) == (base.name, ())
    assert {"linux-image-cloud-amd64", "systemd", "openssh-server"} <= {each.name for each in found.packages}
    tree = store.tree_path(paths, made.tree)
    assert not list((tree / "boot").glob("initrd.img-*"))
    assert not (tree / "usr/share/man/man1/ssh.1.gz").exists()


def test_a_mirror_takes_the_place_of_the_sources_of_the_image(paths: Paths, base: Generation) -> None:
    with pytest.raises(CommandError, match=r"127\.0\.0\.1"):
        build_image(
            paths,
            "debian-12",
            image="broken",
            start="debian-12-base",
            places=Places(mirror="http://127.0.0.1:9/debian"),
        )
