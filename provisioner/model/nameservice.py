"""What people write about DNS: who may ask and copy, who knows other names, and names besides the nodes'."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator

from provisioner.model.address import Address
from provisioner.model.mapping import Written
from provisioner.model.name import Name

AnyNetwork = IPv4Network | IPv6Network

_SERVICE = re.compile(r"_[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?\._(tcp|udp|sctp)")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def _network(written: object) -> AnyNetwork:
    try:
        return ip_network(str(written))
    except ValueError:
        raise ValueError(f"{written!r} is no address and no network such as 10.0.0.0/16 or fd00::/64") from None


def _service(text: str) -> str:
    if not _SERVICE.fullmatch(text):
        raise ValueError(f"{text!r} is not the name of a service such as _slurmctld._tcp")
    return text


def _label(text: str) -> str:
    if not _LABEL.fullmatch(text):
        raise ValueError(f"{text!r} is not one label of a name: letters, digits and '-', at most 63")
    return text


Cidr = Annotated[AnyNetwork, PlainValidator(_network), PlainSerializer(str, return_type=str)]
"""A network, or one address, of either version."""

ServiceName = Annotated[str, AfterValidator(_service)]
Label = Annotated[str, AfterValidator(_label)]


class NamedService(Written):
    """A service that is found by its name (RFC 2782): SRV records for its nodes, the preferred one first.

    `nodes` are names of nodes, or `provisioner` for the head node.
    """

    name: ServiceName
    port: int = Field(ge=1, le=65535)
    nodes: tuple[Name, ...]


class NameService(Written):
    """`dns:` of provisioner.yaml.

    `clients` may ask besides the machines of the site's networks; `transfer` may ask too, and copy whole zones;
    `notify` are told of every change (RFC 1996). Names of no zone of the site are asked of `forwarders`, in their
    order; without any such questions are refused. `aliases` are further names of nodes.
    """

    forwarders: tuple[Address, ...] = ()
    clients: tuple[Cidr, ...] = ()
    transfer: tuple[Cidr, ...] = ()
    notify: tuple[Address, ...] = ()
    services: tuple[NamedService, ...] = ()
    aliases: dict[Label, Name] = Field(default_factory=dict)
