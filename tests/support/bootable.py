"""A small site whose nodes boot: real overlays and scripts, an image of a few bytes, and loaders of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from provisioner.config.paths import Paths
from tests.support.daemon import add_generation

SITE = """\
cluster: demo
networks:
  provision: {cidr: 10.0.0.0/16, domain: cluster.local}
"""
GROUPS = """\
groups:
  base:
    kernel: {args: [quiet]}
    tags: {rack: r1}
  compute:
    groups: [base]
    image: demo
    kernel: {args: [console=ttyS0]}
    overlays: {runtime: [hosts]}
"""
NODES = """\
nodes:
  n[1-3]:
    groups: [compute]
    interfaces: {eth0: {ip: 10.0.1.1+}}
  n1: {interfaces: {eth0: {mac: "52:54:00:00:00:01"}}}
  n2: {interfaces: {eth0: {mac: "52:54:00:00:00:02"}}}
  n3: {interfaces: {eth0: {mac: "52:54:00:00:00:03"}}}
"""
LOADERS = {"undionly.kpxe": b"bios", "snponly.efi": b"efi", "ipxe.efi": b"ipxe"}


def bootable(root: Path, files: Mapping[str, str] | None = None) -> Paths:
    """The site below a folder; `files` are more of its files, or others in place of these."""
    paths = Paths.below(root)
    texts = {"provisioner.yaml": SITE, "groups.d/g.yaml": GROUPS, "nodes.d/n.yaml": NODES, **(files or {})}
    for name, text in texts.items():
        write(paths, name, text)
    add_generation(paths, root=b"root " * 100)
    for name, content in LOADERS.items():
        path = paths.state / "loaders" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return paths


def write(paths: Paths, name: str, text: str) -> None:
    """Write a file of the site."""
    path = paths.site / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
