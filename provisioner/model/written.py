"""What people write, typed: partial on purpose, an unset field is None or empty.

Every model is frozen and refuses unknown keys. `config.decode` turns YAML into these and reports every
mistake with its position.
"""

from __future__ import annotations

from collections.abc import Container
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any
from uuid import UUID

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from provisioner.model.address import Address
from provisioner.model.device import Bmc, Interface, Mtu
from provisioner.model.discovery import Discovery
from provisioner.model.disk import Disks, FileSystems, Size
from provisioner.model.duration import Duration
from provisioner.model.mapping import Written
from provisioner.model.name import (
    DevicePath,
    Domain,
    FilePath,
    ImageRef,
    InterfaceName,
    KernelArgument,
    KernelVersion,
    Line,
    Name,
    RemovableName,
    Text,
    Word,
)
from provisioner.model.nameservice import NameService
from provisioner.model.rate import Rate
from provisioner.model.rootsize import RootSize
from provisioner.model.tpm import SecretRule, Tpm


class DhcpMode(StrEnum):
    """Who gives out a network's addresses: this daemon, or somebody else, with or without our boot files."""

    AUTHORITATIVE = "authoritative"
    PROXY = "proxy"
    OFF = "off"


class Dhcp6Mode(StrEnum):
    """Whether this daemon gives out the IPv6 addresses of a network."""

    AUTHORITATIVE = "authoritative"
    OFF = "off"


class AddressRange(str):
    """`10.0.250.1-10.0.250.254`: both ends belong to it."""

    __slots__ = ()

    def __new__(cls, text: str) -> AddressRange:
        """Check both ends; ValueError says what was expected."""
        first, _, last = text.partition("-")
        try:
            ends = IPv4Address(first.strip()), IPv4Address(last.strip())
        except ValueError:
            raise ValueError(f"{text!r} is not a range; expected 10.0.250.1-10.0.250.254") from None
        if ends[0] > ends[1]:
            raise ValueError(f"the range {text!r} ends before it starts")
        return super().__new__(cls, f"{ends[0]}-{ends[1]}")

    @property
    def ends(self) -> tuple[IPv4Address, IPv4Address]:
        """First and last address."""
        first, last = self.split("-")
        return IPv4Address(first), IPv4Address(last)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate from text in models; serialise as text."""
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())


class Tftp(Written):
    """How loaders go out; `one_port`: from the port of the request, for firewalls that pass no other."""

    one_port: bool = False


class Network(Written):
    """One network that the daemon serves; a `relayed` one through relays, from where the head node is."""

    cidr: IPv4Network
    cidr6: IPv6Network | None = None
    domain: Domain = "cluster.local"
    dhcp: DhcpMode = DhcpMode.AUTHORITATIVE
    dhcp6: Dhcp6Mode = Dhcp6Mode.OFF
    server: IPv4Address | None = None
    servers: tuple[IPv4Address, ...] = ()
    server6: IPv6Address | None = None
    gateway: IPv4Address | None = None
    gateway6: IPv6Address | None = None
    mtu: Mtu | None = None
    dns: tuple[Address, ...] = ()
    search: tuple[Domain, ...] = ()
    pool: AddressRange | None = None
    relayed: bool = False
    link: Rate | None = None
    tftp: Tftp = Tftp()

    @property
    def head(self) -> IPv4Address:
        """The address of the head node in this network: `server`, or the first host of the network.

        Where there are several head nodes, that of the first one.
        """
        return self.heads[0]

    @property
    def heads(self) -> tuple[IPv4Address, ...]:
        """The addresses of all head nodes that answer in this network: `servers`, or the only one."""
        return self.servers or (self.server or self.cidr.network_address + 1,)

    def own_head(self, own: Container[IPv4Address]) -> IPv4Address | None:
        """The address that a head node with these addresses has in this network, or None where it has none."""
        return next((each for each in self.heads if each in own), None)

    @property
    def head6(self) -> IPv6Address | None:
        """Its IPv6 address: `server6`, or the first host where we give out addresses; None where it needs none."""
        if self.server6 or self.cidr6 is None or self.dhcp6 is Dhcp6Mode.OFF:
            return self.server6
        return self.cidr6.network_address + 1


class Ports(Written):
    """The ports that the daemon listens on; 0 switches a service off."""

    dhcp: int = Field(67, ge=0, le=65535)
    tftp: int = Field(69, ge=0, le=65535)
    dns: int = Field(53, ge=0, le=65535)
    http: int = Field(8080, ge=1, le=65535)
    https: int = Field(0, ge=0, le=65535)
    metrics: int = Field(0, ge=0, le=65535)
    nbd: int = Field(10809, ge=0, le=65535)


class Metrics(Written):
    """Where Prometheus may fetch the metrics, once `ports.metrics` is set."""

    listen: tuple[Address, ...] = (IPv4Address("127.0.0.1"),)


class Retention(Written):
    """How long what happened is kept: events, boots, and revisions that nothing names; `size` bounds the file."""

    events: Duration = Duration("30d")
    boots: Duration = Duration("90d")
    revisions: Duration = Duration("30d")
    size: Size = Size("2GiB")


class Tls(Written):
    """A certificate from elsewhere, in the place of one by the site's own authority: PEM files of the head node.

    `authority` is what nodes have to trust; without it they trust what the certificate file holds.
    """

    certificate: FilePath
    key: FilePath
    authority: FilePath | None = None


class Pace(Written):
    """How fast images go to nodes that share an uplink: those with the same value of a tag."""

    tag: Name = "rack"
    each: Rate


class Ssh(Written):
    """Who may log in to the nodes as root: lines as in authorized_keys."""

    admin_keys: tuple[str, ...] = ()


class LoaderKind(StrEnum):
    """What firmware is given to load.

    auto: snponly, and the next ones where that does not come to its script. snponly: iPXE on the firmware's own
    network driver. ipxe: iPXE with drivers of its own. shim: the distribution's signed shim and GRUB.
    """

    AUTO = "auto"
    SNPONLY = "snponly"
    IPXE = "ipxe"
    SHIM = "shim"


class UnifiedMode(StrEnum):
    """Whether UEFI machines load kernel and stage 1 as one program that the site signed.

    auto: where the image has one with the keys of today. always: they boot in no other way. never: kernel and
    stage 1 apart.
    """

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class TrustMode(StrEnum):
    """Whether nodes boot what this site has not signed.

    offered: what can check signatures does, and what is older boots as before. required: only generations that
    this site signed boot, by a stage 1 that checks what it is told.
    """

    OFFERED = "offered"
    REQUIRED = "required"


class Site(Written):
    """provisioner.yaml."""

    cluster: Name
    networks: dict[Name, Network] = Field(min_length=1)
    ports: Ports = Ports()
    ssh: Ssh = Ssh()
    pace: Pace | None = None
    tls: Tls | None = None
    metrics: Metrics = Metrics()
    retention: Retention = Retention()
    dns: NameService = NameService()
    discovery: Discovery = Discovery()
    trust: TrustMode = TrustMode.OFFERED
    loaders: dict[Line, LoaderKind] = Field(default_factory=dict)
    secrets: dict[Name, SecretRule] = Field(default_factory=dict)


class RootKind(StrEnum):
    """How the root file system reaches the node.

    overlay: packed, in memory, under a layer that takes what is written. tmpfs: unpacked, in memory. single: the
    initramfs is the root. stream: block by block, from the head node. disk: installed on a disk of the node.
    """

    OVERLAY = "overlay"
    TMPFS = "tmpfs"
    SINGLE = "single"
    STREAM = "stream"
    DISK = "disk"


class Swap(StrEnum):
    """Where a node puts memory that it does not need now: compressed into memory, or nowhere."""

    OFF = "off"
    ZRAM = "zram"


class Root(Written):
    """The root file system of a node. `size` bounds what of it lies unpacked, or is written, in memory.

    `prefetch`: a node whose root streams copies it into memory once it is ready; then it needs no head node.
    `device` is the disk or partition of a root of kind disk; `wipe` lets an installation overwrite what is there.
    """

    kind: RootKind | None = None
    size: RootSize | None = None
    swap: Swap | None = None
    prefetch: bool | None = None
    device: DevicePath | None = None
    wipe: bool | None = None


class BootSource(StrEnum):
    """Where a node boots from: an image of this site, or its own disk, whatever is installed there."""

    IMAGE = "image"
    DISK = "disk"


class Booting(Written):
    """How a node boots: from where, `loader`, what its firmware gets, and kernel and stage 1 `unified` or apart.

    After so many failed `attempts` the last good generation is taken (0: never); `menu` lets people at it choose.
    """

    source: BootSource | None = None
    loader: LoaderKind | None = None
    unified: UnifiedMode | None = None
    attempts: int | None = Field(None, ge=0, le=100)
    menu: bool | None = None


class Overlays(Written):
    """Overlay names in the order in which they are laid over the image; later ones win."""

    system: tuple[RemovableName, ...] = ()
    runtime: tuple[RemovableName, ...] = ()


class Kernel(Written):
    """Which kernel of its image a node starts (a release, or the start of one), and what it is told."""

    version: KernelVersion | None = None
    args: tuple[KernelArgument, ...] = ()


class Layer(Written):
    """What nodes and groups have in common. `comment` is about the entry itself and is not inherited."""

    groups: tuple[RemovableName, ...] = ()
    comment: Line | None = None
    cluster: Name | None = None
    image: ImageRef | None = None
    root: Root = Root()
    boot: Booting = Booting()
    tpm: Tpm = Tpm()
    overlays: Overlays = Overlays()
    kernel: Kernel = Kernel()
    init: FilePath | None = None
    script: Name | None = None
    tags: dict[Name, Text] = Field(default_factory=dict)
    resources: dict[str, Any] = Field(default_factory=dict)
    primary: InterfaceName | None = None
    interfaces: dict[InterfaceName, Interface] = Field(default_factory=dict)
    bmc: Bmc = Bmc()
    disks: Disks = Field(default_factory=dict)
    filesystems: FileSystems = Field(default_factory=dict)


class Group(Layer):
    """An entry below `groups:`. It has no `~groups:`, because it gets no groups from elsewhere."""

    @classmethod
    def _removable(cls) -> frozenset[str]:
        return cls._fields() - {"groups"}


class NodeEntry(Layer):
    """An entry below `nodes:`; its key is a node set, and a node may be built from several entries.

    `uuid`, `serial` and `asset` tell the machine; a `discoverable` node takes an unknown machine.
    """

    uuid: UUID | None = None
    serial: Word | None = None
    asset: Word | None = None
    discoverable: bool | None = None
