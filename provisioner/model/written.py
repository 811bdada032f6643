"""What people write, typed: partial on purpose, an unset field is None or empty.

Every model is frozen and refuses unknown keys. `config.decode` turns YAML into these and reports every
mistake with its position.
"""

from __future__ import annotations

import re
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, model_validator
from pydantic_core import CoreSchema, core_schema

from provisioner.model.address import Address, AddressPattern, MacAddress

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
# IFNAMSIZ of Linux is 16, with the final NUL.
_INTERFACE = re.compile(r"(?!lo$)[A-Za-z0-9]([A-Za-z0-9_.-]{0,13}[A-Za-z0-9])?")
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# 253 characters are the 255 octets of RFC 1035 section 2.3.4.
_DOMAIN = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}(@([1-9][0-9]{0,8}|sha256:[0-9a-fA-F]{64}))?")
_ARGUMENT = re.compile(r"[\x21-\x7e]+")
_OPERATORS = frozenset({"||", "&&", "|", "&", ";"})
_OURS = ("prov.", "root=")
_GROUP_BIT = 1


def _matching(pattern: re.Pattern[str], expected: str) -> AfterValidator:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"{text!r} is not {expected}")
        return text

    return AfterValidator(check)


def _kernel_argument(argument: str) -> str:
    # The kernel line passes through iPXE, which expands settings and acts on these words.
    if argument in _OPERATORS or argument.startswith("#") or "${" in argument:
        raise ValueError(f"{argument!r} has a meaning of its own in iPXE, so it cannot be a kernel argument")
    if argument.startswith(_OURS):
        raise ValueError(
            f"{argument!r} is not yours to set: arguments with {' and '.join(_OURS)} are the product's"
        )
    return argument


def _unicast(mac: MacAddress) -> MacAddress:
    if mac.octets[0] & _GROUP_BIT or not any(mac.octets):
        raise ValueError(f"the MAC {mac} is of no machine: it names a group, or nothing")
    return mac


Name = Annotated[str, _matching(_NAME, "a name: letters, digits, '-', '_', '.', at most 63")]
InterfaceName = Annotated[
    str, _matching(_INTERFACE, "an interface: letters, digits, '-', '_', '.', at most 15, and not lo")
]
Domain = Annotated[str, _matching(_DOMAIN, "a domain such as cluster.local, at most 253 characters")]
ImageRef = Annotated[str, _matching(_IMAGE, "an image: NAME, NAME@GENERATION or NAME@sha256:DIGEST")]
KernelArgument = Annotated[
    str, _matching(_ARGUMENT, "one kernel argument (no spaces, printable ASCII)"), AfterValidator(_kernel_argument)
]
NodeMac = Annotated[MacAddress, AfterValidator(_unicast)]


class Written(BaseModel):
    """Base of all models of what people write."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _empty_is_unset(cls, data: Any) -> Any:
        # `eth0:` with nothing behind it is an interface that sets nothing; `image:` is an image that is not set.
        if data is None:
            return {}
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None or key not in cls.model_fields}


class DhcpMode(StrEnum):
    """How a network gets its addresses: from this daemon, or from somebody else."""

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


class Network(Written):
    """One network that the daemon serves."""

    cidr: IPv4Network
    cidr6: IPv6Network | None = None
    domain: Domain = "cluster.local"
    dhcp: DhcpMode = DhcpMode.AUTHORITATIVE
    server: IPv4Address | None = None
    gateway: IPv4Address | None = None
    dns: tuple[Address, ...] = ()
    pool: AddressRange | None = None

    @property
    def head(self) -> IPv4Address:
        """The address of the head node in this network: `server`, or the first host of the network."""
        return self.server or self.cidr.network_address + 1


class Ports(Written):
    """The ports that the daemon listens on; 0 switches a service off."""

    dhcp: int = Field(67, ge=0, le=65535)
    tftp: int = Field(69, ge=0, le=65535)
    dns: int = Field(53, ge=0, le=65535)
    http: int = Field(8080, ge=1, le=65535)


class Ssh(Written):
    """Who may log in to the nodes as root: lines as in authorized_keys."""

    admin_keys: tuple[str, ...] = ()


class Site(Written):
    """provisioner.yaml."""

    cluster: Name
    networks: dict[Name, Network] = Field(min_length=1)
    ports: Ports = Ports()
    ssh: Ssh = Ssh()


class Interface(Written):
    """A network device of a node, or what all nodes of a group share of it."""

    network: Name | None = None
    mac: NodeMac | None = None
    ip: AddressPattern | None = None
    ip6: AddressPattern | None = None


class RootKind(StrEnum):
    """How the root file system reaches the node."""

    OVERLAY = "overlay"


class Root(Written):
    """The root file system of a node."""

    kind: RootKind | None = None


class Overlays(Written):
    """Overlay names in the order in which they are laid over the image; later ones win."""

    system: tuple[Name, ...] = ()
    runtime: tuple[Name, ...] = ()


class Kernel(Written):
    """What the kernel of a node is told."""

    args: tuple[KernelArgument, ...] = ()


class Layer(Written):
    """What nodes and groups have in common."""

    groups: tuple[Name, ...] = ()
    image: ImageRef | None = None
    root: Root = Root()
    overlays: Overlays = Overlays()
    kernel: Kernel = Kernel()
    script: Name | None = None
    tags: dict[Name, str] = Field(default_factory=dict)
    interfaces: dict[InterfaceName, Interface] = Field(default_factory=dict)


class Group(Layer):
    """An entry below `groups:`."""


class NodeEntry(Layer):
    """An entry below `nodes:`; its key is a node set, and a node may be built from several entries."""
