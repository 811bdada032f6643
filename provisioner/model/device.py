"""Network devices as people write them: Ethernet, bonds, VLANs and InfiniBand, and the BMC."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from provisioner.model.address import Address, AddressPattern, InfinibandAddress, MacAddress
from provisioner.model.mapping import Written
from provisioner.model.name import Domain, InterfaceName, Name, RemovableInterface, Text, Word
from provisioner.model.secret import Secret

_GROUP_BIT = 1


def _unicast(mac: MacAddress | InfinibandAddress) -> MacAddress | InfinibandAddress:
    if isinstance(mac, MacAddress) and (mac.octets[0] & _GROUP_BIT or not any(mac.octets)):
        raise ValueError(f"the MAC {mac} is of no machine: it names a group, or nothing")
    return mac


def _hardware(text: object) -> object:
    """Twenty bytes are an InfiniBand address, everything else has to be a MAC."""
    if not isinstance(text, str) or isinstance(text, MacAddress | InfinibandAddress):
        return text
    return InfinibandAddress(text) if InfinibandAddress.looks_like(text) else MacAddress(text)


HardwareAddress = Annotated[MacAddress | InfinibandAddress, BeforeValidator(_hardware), AfterValidator(_unicast)]
NodeMac = Annotated[MacAddress, AfterValidator(_unicast)]
Mtu = Annotated[int, Field(ge=576, le=65520)]
VlanId = Annotated[int, Field(ge=1, le=4094)]
Milliseconds = Annotated[int, Field(ge=0, le=600_000)]


class DeviceType(StrEnum):
    """What a network device is."""

    ETHERNET = "ethernet"
    BOND = "bond"
    VLAN = "vlan"
    INFINIBAND = "infiniband"


class Route(Written):
    """A static route: a network (or `default`) by way of a router. `metric` as in ip-route(8)."""

    to: IPv4Network | IPv6Network | Literal["default"]
    via: IPv4Address | IPv6Address
    metric: int | None = Field(None, ge=0, le=2**32 - 1)


class BondMode(StrEnum):
    """The modes of Linux' bonding driver, by name (Documentation/networking/bonding.rst)."""

    BALANCE_RR = "balance-rr"
    ACTIVE_BACKUP = "active-backup"
    BALANCE_XOR = "balance-xor"
    BROADCAST = "broadcast"
    LACP = "802.3ad"
    BALANCE_TLB = "balance-tlb"
    BALANCE_ALB = "balance-alb"


class Bond(Written):
    """What makes one device of several (Documentation/networking/bonding.rst); times in milliseconds."""

    members: tuple[RemovableInterface, ...] = ()
    mode: BondMode | None = None
    miimon: Milliseconds | None = None
    updelay: Milliseconds | None = None
    downdelay: Milliseconds | None = None
    lacp_rate: Literal["slow", "fast"] | None = None
    xmit_hash_policy: Literal["layer2", "layer2+3", "layer3+4", "encap2+3", "encap3+4", "vlan+srcmac"] | None = (
        None
    )


class Vlan(Written):
    """A tagged network on another device (IEEE 802.1Q)."""

    id: VlanId | None = None
    parent: InterfaceName | None = None


class Infiniband(Written):
    """IP over InfiniBand (Documentation/infiniband/ipoib.rst)."""

    mode: Literal["datagram", "connected"] | None = None
    pkey: Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{1,4}$")] | None = None


class Interface(Written):
    """A network device of a node, or what all nodes of a group share of it."""

    type: DeviceType | None = None
    network: Name | None = None
    mac: HardwareAddress | None = None
    ip: AddressPattern | None = None
    ip6: AddressPattern | None = None
    mtu: Mtu | None = None
    gateway: IPv4Address | None = None
    gateway6: IPv6Address | None = None
    dns: tuple[Address, ...] = ()
    search: tuple[Domain, ...] = ()
    routes: tuple[Route, ...] = ()
    onboot: bool | None = None
    bond: Bond = Bond()
    vlan: Vlan = Vlan()
    infiniband: Infiniband = Infiniband()
    tags: dict[Name, Text] = Field(default_factory=dict)


class BmcDriver(StrEnum):
    """The language that a BMC speaks."""

    IPMI = "ipmi"
    REDFISH = "redfish"


class Bmc(Written):
    """The management controller of a node. `interface` and `escape` are those of ipmitool(1)."""

    driver: BmcDriver | None = None
    network: Name | None = None
    mac: NodeMac | None = None
    ip: AddressPattern | None = None
    gateway: IPv4Address | None = None
    port: int | None = Field(None, ge=1, le=65535)
    vlan: VlanId | None = None
    username: Word | None = None
    password: Secret | None = None
    interface: Word | None = None
    escape: Annotated[str, Field(pattern=r"^[!-~]$")] | None = None
    write: bool | None = None
    tags: dict[Name, Text] = Field(default_factory=dict)
