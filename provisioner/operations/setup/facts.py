"""What a machine shows of itself before it becomes a head node, and what a person wants of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from provisioner.model.written import Ports, Site
from provisioner.operations.setup.firewall import Firewall
from provisioner.operations.setup.folders import Folder
from provisioner.operations.setup.holders import Holder
from provisioner.operations.setup.needs import Need
from provisioner.operations.setup.place import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is wanted. `program` is the command that runs, `files` what goes where besides what ships.

    `interface` is a device or its address, `network` a CIDR; `packages` whether missing ones are installed.
    """

    interface: str | None = None
    network: str | None = None
    cluster: str = "cluster"
    domain: str = "cluster.local"
    admin_keys: tuple[str, ...] = ()
    packages: bool = True
    program: Path | None = None
    files: Mapping[Path, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ManagedFile:
    """A file of ours: what it shall hold, what it holds, and whether a package brings it at another place."""

    path: Path
    content: bytes
    found: bytes | None = None
    packaged: bool = False

    @property
    def is_right(self) -> bool:
        """Whether nothing has to be written."""
        return self.packaged or self.found == self.content


@dataclass(frozen=True, slots=True)
class Unit:
    """The service: whether it starts with the machine, and runs now; None where the machine itself does not."""

    enabled: bool
    active: bool | None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A machine. `unit` is None where systemd is not what runs it (a container), `prefix` where its root is.

    `site` is what provisioner.yaml says, None where there is none or nobody can read it (`site_fault` says why).
    """

    place: Place
    prefix: Path = Path("/")
    holders: tuple[Holder, ...] = ()
    packager: str = ""
    missing: tuple[Need, ...] = ()
    has_user: bool = False
    files: tuple[ManagedFile, ...] = ()
    wanted_folders: Mapping[Path, Folder] = field(default_factory=dict)
    folders: Mapping[Path, Folder | None] = field(default_factory=dict)
    has_command: bool = False
    has_site: bool = False
    site: Site | None = None
    site_fault: str = ""
    has_key: bool = False
    firewall: Firewall | None = None
    unit: Unit | None = None

    @property
    def ports(self) -> Ports:
        """The ports of the site; those of a new one where there is none yet."""
        return self.site.ports if self.site else Ports()
