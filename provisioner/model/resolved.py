"""The resolved node: every field set, and the place that each value came from.

Templates, DHCP, DNS and HTTP see only these.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from provisioner.model.address import Address, InfinibandAddress, MacAddress
from provisioner.model.device import BmcDriver, Bond, DeviceType, Infiniband, Route, Vlan
from provisioner.model.disk import Disk, FileSystem, disk_with
from provisioner.model.rootsize import RootSize
from provisioner.model.secret import Secret
from provisioner.model.tpm import DEFAULT_REGISTERS, Registers
from provisioner.model.written import BootSource, LoaderKind, Network, RootKind, Swap, UnifiedMode


class Resolved(BaseModel):
    """Base of all resolved models."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Resolved):
    """Where a value was written: file below the site root, line and column from 1, and the entry that holds it."""

    file: str
    line: int
    entry: str
    column: int = 1

    def __str__(self) -> str:
        """`groups.d/compute.yaml:3 (group compute)`."""
        return f"{self.file}:{self.line} ({self.entry})"


class ResolvedInterface(Resolved):
    """A network device of one node. `ip` and `ip6` carry the prefix length of their network.

    `mac` is an Ethernet address; an InfiniBand device has its twenty bytes in `infiniband_address`. `mtu` is the
    network's unless the device has its own, in bytes.
    """

    name: str
    network: str
    type: DeviceType = DeviceType.ETHERNET
    mac: MacAddress | None = None
    infiniband_address: InfinibandAddress | None = None
    ip: IPv4Interface | None = None
    ip6: IPv6Interface | None = None
    mtu: int | None = None
    gateway: IPv4Address | None = None
    gateway6: IPv6Address | None = None
    dns: tuple[Address, ...] = ()
    search: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    onboot: bool = True
    bond: Bond | None = None
    vlan: Vlan | None = None
    infiniband: Infiniband | None = None
    tags: dict[str, str] = Field(default_factory=dict)

    @property
    def boot_mac(self) -> MacAddress | None:
        """The address by which the device is known while it boots: its MAC, or what stands for it (InfiniBand)."""
        if self.mac is None and self.infiniband_address is not None:
            return MacAddress.from_guid(self.infiniband_address.guid)
        return self.mac

    @property
    def boot_address(self) -> IPv4Interface | IPv6Interface | None:
        """The address that stage 1 gives the device: the IPv6 one only where there is no other."""
        return self.ip or self.ip6

    def heads_in(self, network: Network) -> tuple[Address, ...]:
        """Where a node that boots by this device finds the head nodes: over IPv6 where it has no IPv4 address."""
        if self.ip is None and self.ip6 is not None and network.head6 is not None:
            return (network.head6,)
        return network.heads


class ResolvedBmc(Resolved):
    """The management controller of one node. `ip` carries the prefix length of its network."""

    driver: BmcDriver = BmcDriver.IPMI
    network: str = ""
    mac: MacAddress | None = None
    ip: IPv4Interface | None = None
    gateway: IPv4Address | None = None
    port: int | None = None
    vlan: int | None = None
    username: str | None = None
    password: Secret | None = None
    interface: str | None = None
    escape: str | None = None
    write: bool = False
    tags: dict[str, str] = Field(default_factory=dict)


class ResolvedRoot(Resolved):
    """The root file system of one node. Without a `size` each kind has its own (`boot.fitness`)."""

    kind: RootKind = RootKind.OVERLAY
    size: RootSize | None = None
    swap: Swap = Swap.OFF
    prefetch: bool = False
    device: str | None = None
    wipe: bool = False


class ResolvedBoot(Resolved):
    """How one node boots: see `model.written.Booting`."""

    loader: LoaderKind = LoaderKind.AUTO
    unified: UnifiedMode = UnifiedMode.AUTO
    attempts: int = 3
    menu: bool = False
    source: BootSource = BootSource.IMAGE


class ResolvedTpm(Resolved):
    """What one node's TPM has to show: see `model.tpm.Tpm`."""

    required: bool = False
    pcrs: Registers = Registers(DEFAULT_REGISTERS)
    first_use: bool = False


class ResolvedNode(Resolved):
    """One node as every service sees it.

    `groups` are linearised, weakest first; `primary` names the interface that boots; `provenance` maps a
    dotted field path (`kernel.args`, `interfaces.eth0.ip`) to every place that contributed, weakest first.
    """

    name: str
    domain: str
    groups: tuple[str, ...]
    image: str | None
    root: ResolvedRoot
    system_overlays: tuple[str, ...]
    runtime_overlays: tuple[str, ...]
    kernel_args: tuple[str, ...]
    script: str
    tags: dict[str, str]
    interfaces: tuple[ResolvedInterface, ...]
    primary: str | None
    boot: ResolvedBoot = ResolvedBoot()
    tpm: ResolvedTpm = ResolvedTpm()
    comment: str | None = None
    cluster: str | None = None
    kernel_version: str | None = None
    init: str | None = None
    resources: dict[str, Any] = Field(default_factory=dict)
    bmc: ResolvedBmc | None = None
    disks: dict[str, Disk] = Field(default_factory=dict)
    filesystems: dict[str, FileSystem] = Field(default_factory=dict)
    uuid: UUID | None = None
    serial: str | None = None
    asset: str | None = None
    discoverable: bool = False
    provenance: dict[str, tuple[Source, ...]] = Field(default_factory=dict)

    @property
    def fqdn(self) -> str:
        """The full name, `n001.cluster.local`."""
        return f"{self.name}.{self.domain}"

    @property
    def boot_interface(self) -> ResolvedInterface | None:
        """The interface that boots, or None where the node has none."""
        return next((each for each in self.interfaces if each.name == self.primary), None)

    @property
    def root_disk(self) -> str | None:
        """The disk of `disks` that stage 1 partitions, because the root is on it; None for other kinds of root."""
        return disk_with(self.disks, self.root.device) if self.root.kind is RootKind.DISK else None

    def interface_of(self, mac: MacAddress) -> ResolvedInterface | None:
        """The interface with this hardware address."""
        return next((each for each in self.interfaces if each.boot_mac == mac), None)
