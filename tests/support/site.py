"""Sites for tests: real files in a folder, and images that exist only as records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.model.catalogue import Catalogue
from provisioner.registry.load import Examined, examine
from tests.support.resolved import generation

SITE = """\
cluster: demo
networks:
  provision: {cidr: 10.0.0.0/16, server: 10.0.0.1, pool: 10.0.255.1-10.0.255.254}
"""
OVERLAYS = frozenset({"hostname", "hosts", "network", "ssh", "agent", "motd"})
SCRIPTS = frozenset({"boot"})

_DIGEST = "sha256:" + "0" * 64


def write_site(root: Path, files: Mapping[str, str]) -> Paths:
    """A site below a folder with these files; it ships one overlay and one template of its own."""
    shipped = {f"data/overlays/{name}/rootfs/etc/{name}": name for name in OVERLAYS}
    for name, text in {**shipped, "data/templates/boot.ipxe.j2": "#!ipxe\n", **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, newline="")
    return replace(Paths.below(root), data=root / "data")


def examined(files: Mapping[str, str], catalogue: Catalogue | None = None) -> Examined:
    """What a site with these files means; `provisioner.yaml` is `SITE` unless given."""
    contents = {name: text.encode() for name, text in {"provisioner.yaml": SITE, **files}.items()}
    return examine(contents, catalogue=catalogue or Catalogue(), overlays=OVERLAYS, scripts=SCRIPTS)


def catalogue_of(*images: str) -> Catalogue:
    """A catalogue that has generation 1 of these images."""
    return Catalogue({name: {1: generation(image=name)} for name in images}, dict.fromkeys(images, 1))
