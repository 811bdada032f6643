"""Made-up images as templates see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provisioner.model.inventory import Group, Inventory, Package, Service, Unit, User
from provisioner.overlay.imagefacts import ImageFacts
from provisioner.overlay.includes import Includes, SiteFiles
from provisioner.overlay.source import WrittenFiles
from provisioner.registry.collect import FileKind, SourceFile
from tests.support import resolved

INVENTORY = Inventory(
    os={"ID": "debian", "VERSION_ID": "12"},
    kernels=(),
    init=None,
    units=(Unit(name="getty@.service", state="enabled"),),
    users=(User(name="munge", uid=998, gid=997, home="/nonexistent", shell="/usr/sbin/nologin"),),
    groups=(Group(name="munge", gid=997),),
    network=(Service(name="systemd-networkd", enabled=False),),
    services=(Service(name="sshd", enabled=True),),
    package_manager="dpkg",
    packages=(Package(name="bash", version="5.2", architecture="amd64"),),
    texts={"/etc/login.defs": "UMASK 022\nUID_MIN 1000\n"},
)


def image(network: Mapping[str, bool] | None = None, *, number: int = 1, **changes: Any) -> ImageFacts:
    """An image with these network backends, by whether boot starts each."""
    services = [Service(name=name, enabled=enabled) for name, enabled in (network or {}).items()]
    given = {} if network is None else {"network": tuple(services)}
    inventory = INVENTORY.model_copy(update={**given, **changes})
    return ImageFacts(resolved.generation(number), lambda _: inventory)


def bare() -> ImageFacts:
    """An image of before there were inventories."""
    return ImageFacts(resolved.generation(), lambda _: None)


def includes(found: ImageFacts | None = None, **texts: str) -> Includes:
    """One image for every node, and files of the site below `files/`, two underscores for a slash."""
    facts = found or ImageFacts.unknown("the node has no image")
    files = {
        f"files/{name.replace('__', '/')}": SourceFile(FileKind.FILE, 0o644, text.encode())
        for name, text in texts.items()
    }
    return Includes(SiteFiles(WrittenFiles(files)), lambda _: facts)
