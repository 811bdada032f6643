"""The site of a storm's own: nodes of one group, an image of random bytes, and a loader by name only."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from random import Random

from provisioner.config.paths import Paths
from provisioner.errors import ProvisionerError
from provisioner.image import store
from provisioner.lab.storm.plan import Client
from provisioner.model.address import MacAddress
from provisioner.model.image import Artifact, Generation, Origin

NETWORK = IPv4Network("10.64.0.0/12")
HEAD = IPv4Interface("10.64.0.1/24")
RELAY = IPv4Address("10.64.0.2")
"""The gateway behind which all machines are: the head node keeps one neighbour, not ten thousand."""

IMAGE = "storm"
MOST_NODES = 500_000
_FIRST = IPv4Address("10.65.0.0")
_GROUP = f"groups:\n  compute: {{image: {IMAGE}, kernel: {{args: [console=ttyS0]}}}}\n"


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of everything that a machine loads."""

    loader: int = 128 << 10
    kernel: int = 64 << 10
    stage1: int = 64 << 10
    root: int = 1 << 20


def clients(count: int) -> list[Client]:
    """The machines of a storm; ProvisionerError when there are more than addresses."""
    if count > MOST_NODES:
        raise ProvisionerError(f"{count} nodes are more than a storm has addresses for ({MOST_NODES})")
    return [
        Client(f"n{number:06}", _mac(number), str(_FIRST + number), uefi=number % 2 == 0)
        for number in range(1, count + 1)
    ]


def write_site(paths: Paths, machines: list[Client], sizes: Sizes) -> str:
    """Write site, loaders and image; the SHA-256 of the loader."""
    files = {
        paths.site_file: f"cluster: storm\nnetworks: {{provision: {{cidr: {NETWORK}, server: {HEAD.ip}}}}}\n",
        paths.group_files / "compute.yaml": _GROUP,
        paths.node_files / "nodes.yaml": "nodes:\n" + "".join(_lines(machines)),
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    loader = Random(sizes.loader).randbytes(sizes.loader)  # noqa: S311 - filling
    folder = paths.state / "loaders"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("undionly.kpxe", "snponly.efi"):
        (folder / name).write_bytes(loader)
    _publish(paths, sizes)
    return hashlib.sha256(loader).hexdigest()


def _publish(paths: Paths, sizes: Sizes) -> None:
    store.prepare(paths)
    generation = Generation(
        image=IMAGE,
        number=1,
        created=time.time(),
        architecture="x86_64",
        os_name="a storm",
        os_id="storm",
        os_version="1",
        kernel_release="6.1.0",
        kernel=_artifact(paths, "kernel", sizes.kernel),
        stage1=_artifact(paths, "stage1", sizes.stage1),
        root=_artifact(paths, "root", sizes.root),
        tree="sha256:" + "0" * 64,
        tree_size=sizes.root,
        entries=1,
        origin=Origin(kind="recipe", reference=IMAGE),
    )
    store.publish(paths, generation)


def _artifact(paths: Paths, name: str, size: int) -> Artifact:
    file = paths.images / "tmp" / name
    file.write_bytes(Random(name).randbytes(size))  # noqa: S311 - filling
    return store.add_artifact(paths, file)


def _lines(machines: list[Client]) -> Iterator[str]:
    for each in machines:
        interface = f'{{mac: "{each.mac}", ip: {each.address}}}'
        yield f"  {each.name}: {{groups: [compute], interfaces: {{eth0: {interface}}}}}\n"


def _mac(number: int) -> str:
    return MacAddress.from_bytes(b"\x52\x54" + number.to_bytes(4, "big"))
