"""A site of any size as a person would keep it: `python -m tests.bench.make_site DIR [NODES [FILES]]`.

Racks of equal size, a file each: one range entry with what the rack shares, one line a node with its MAC. Twenty
groups, nested; tags and comments. Nothing in it needs an image, unless `image` names one.
"""

from __future__ import annotations

import sys
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.model.address import MacAddress

NODES = 10_000
FILES = 250
RACK = 40
GROUPS = ("compute", "gpu", "bigmem", "login", "storage")
ROWS = 10

_SITE = """\
# The cluster of the benchmarks.
cluster: bench
networks:
  # Nodes boot here; the first one has 10.66.1.1.
  provision: {cidr: 10.66.0.0/16, domain: bench.local}
"""
_GROUPS = """\
# What every machine has.
groups:
  base:
    tags: {site: north}
    kernel: {args: [console=tty0]}
  serial:
    kernel: {args: ["console=ttyS0,115200"]}
  monitored:
    tags: {monitored: "yes"}
  managed:
    groups: [base, serial, monitored]
  slurm:
    tags: {scheduler: slurm}
    overlays: {runtime: [hosts]}
"""
_ROLE = """\
# Machines for {role}.
groups:
  {role}:
    groups: [managed, slurm]
    tags: {{role: {role}}}{image}
    interfaces:
      eth0: {{network: provision}}
"""


def make_site(root: Path, nodes: int = NODES, files: int = FILES, *, image: str | None = None) -> Paths:
    """Write a site of `nodes` nodes in `files` node files (fewer where racks would not be full) below a folder."""
    paths = Paths.below(root)
    size = max(RACK, -(-nodes // files))
    racks = [range(first, min(first + size, nodes + 1)) for first in range(1, nodes + 1, size)]
    texts = {paths.site_file: _SITE, paths.group_files / "base.yaml": _GROUPS}
    texts |= {paths.group_files / f"{role}.yaml": _role(role, image) for role in GROUPS}
    texts[paths.group_files / "rows.yaml"] = "# Where machines stand.\ngroups:\n" + "".join(map(_row, range(ROWS)))
    texts |= {paths.node_files / f"rack{number:03}.yaml": _rack(number, rack) for number, rack in _numbered(racks)}
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return paths


def name_of(number: int) -> str:
    """The name of node number N, counted from 1."""
    return f"n{number:05}"


def mac_of(number: int) -> MacAddress:
    """Its hardware address."""
    return MacAddress.from_bytes(b"\x52\x54" + number.to_bytes(4, "big"))


def _numbered(racks: list[range]) -> list[tuple[int, range]]:
    return list(enumerate(racks, start=1))


def _role(role: str, image: str | None) -> str:
    return _ROLE.format(role=role, image=f"\n    image: {image}" if image else "")


def _row(number: int) -> str:
    return f"  row{number}:\n    tags: {{row: row{number}}}\n"


def _rack(number: int, rack: range) -> str:
    role, row = GROUPS[0 if number % 10 else number // 10 % len(GROUPS)], number % ROWS
    return f"""\
# Rack {number}: {len(rack)} machines of the kind {role}.
nodes:
  n[{rack[0]:05}-{rack[-1]:05}]:
    groups: [{role}, row{row}]
    tags: {{rack: r{number:03}}}
    interfaces:
      eth0: {{ip: 10.66.1.1+}}
  # One line a machine, from the labels on their backs.
""" + "".join(f'  {name_of(each)}: {{interfaces: {{eth0: {{mac: "{mac_of(each)}"}}}}}}\n' for each in rack)


if __name__ == "__main__":
    _, folder, *numbers = sys.argv
    make_site(Path(folder), *map(int, numbers))
