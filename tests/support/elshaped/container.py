"""A bare el-shaped container: what a registry has, with dnf and without kernel, init or network."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from provisioner.image import dnf
from provisioner.image.recipe import DnfRecipe
from tests.support.elshaped.flavour import ROCKY_9
from tests.support.elshaped.repository import Repositories
from tests.support.oci import Layout

BARE = (
    *("basesystem", "bash", "ca-certificates", "coreutils", "curl", "dnf", "findutils", "gawk", "grep", "gzip"),
    *("glibc-minimal-langpack", "less", "passwd", "rocky-release", "rootfiles", "rpm", "sed", "tar", "util-linux"),
    *("vim-minimal", "xz", "yum"),
)
_TAR = "tar --format=pax --numeric-owner --xattrs --xattrs-include=* --sort=name"


def bare_recipe(repositories: Repositories, packages: Sequence[str]) -> DnfRecipe:
    """What the container is made of."""
    repository = {"baseurl": repositories.url(ROCKY_9), "gpgkey": repositories.key}
    fields = {"kind": "dnf", "release": "9", "date": "2023-06-10", "repositories": {"baseos": repository}}
    return DnfRecipe.model_validate({**fields, "packages": packages})


def bare_container(repositories: Repositories, folder: Path, *, url: str, packages: Sequence[str] = BARE) -> Path:
    """Make an OCI layout below a folder; the container's own dnf takes packages from a URL."""
    tree, work = folder / "tree", folder / "work"
    work.mkdir(parents=True)
    dnf.make_tree(bare_recipe(repositories, packages), tree, work=work, log=folder / "log")
    key = Path(repositories.key.removeprefix("file://")).read_text()
    place = tree / "etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-9"
    place.parent.mkdir(parents=True)
    place.write_text(key)
    text = f"[baseos]\nname=Rocky Linux $releasever - BaseOS\nbaseurl={url}\ngpgcheck=1\n"
    (tree / "etc/yum.repos.d/rocky.repo").write_text(f"{text}gpgkey=file:///etc/pki/rpm-gpg/{place.name}\n")
    archive = subprocess.run([*_TAR.split(), "-C", tree, "-c", "."], capture_output=True, check=True)
    made = Layout(folder / "layout")
    made.name(made.image([archive.stdout], compressions=["zstd"]), "9")
    return made.folder
