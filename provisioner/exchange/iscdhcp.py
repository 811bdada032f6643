"""The site for ISC DHCP (dhcpd.conf(5)): a file to include."""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.dhcp.policy import LEASE_SECONDS, POOL_SECONDS
from provisioner.exchange.addressing import NO_PROXY, Addressing, Loader, Subnet
from provisioner.exchange.inventory import Exported

_HEAD = """\
# Made by prov export isc.
authoritative;
# A machine is known by its MAC alone: firmware, loader and system send other client identifiers each.
ignore-client-uids true;
option prov-architecture code 93 = string;
option prov-ipxe code 175 = string;
"""
_IPXE = 'exists prov-ipxe or option user-class = "iPXE" or substring(option user-class, 1, 4) = "iPXE"'
# A client may name several; the first is the one that it prefers.
_TYPE = "substring(option prov-architecture, 0, 2)"


def export_isc(addressing: Addressing) -> Exported:
    """A subnet after the other, each with what its machines load, and its hosts."""
    subnets = "".join(_subnet(subnet, addressing.loaders) for subnet in addressing.subnets)
    return Exported(_HEAD + subnets, addressing.left_out)


def _subnet(subnet: Subnet, loaders: tuple[Loader, ...]) -> str:
    inside = [*_settings(subnet), *_steps(subnet, loaders)]
    lines = [
        "",
        f"# {subnet.name}",
        f"subnet {subnet.cidr.network_address} netmask {subnet.cidr.netmask} {{",
        *(f"  {line}" for line in inside),
        "}",
        *_hosts(subnet),
    ]
    return "".join(f"{line}\n" for line in lines)


def _settings(subnet: Subnet) -> Iterator[str]:
    yield from _times(LEASE_SECONDS)
    if subnet.pool:
        first, last = subnet.pool.ends
        pool = (*_times(POOL_SECONDS), f"range {first} {last};")
        yield f"pool {{ {' '.join(pool)} }}"
    if subnet.gateway:
        yield f"option routers {subnet.gateway};"
    if subnet.resolvers:
        yield f"option domain-name-servers {', '.join(map(str, subnet.resolvers))};"
    yield f'option domain-name "{subnet.domain}";'
    if subnet.search:
        quoted = (f'"{domain}"' for domain in subnet.search)
        yield f"option domain-search {', '.join(quoted)};"


def _times(seconds: int) -> Iterator[str]:
    yield from (f"default-lease-time {seconds};", f"max-lease-time {seconds};")


def _steps(subnet: Subnet, loaders: tuple[Loader, ...]) -> Iterator[str]:
    yield f"if {_IPXE} {{"
    yield from _load(subnet, subnet.script, f"option prov-ipxe {NO_PROXY.hex(':')};")
    for loader in loaders:
        types = " or ".join(
            "not exists prov-architecture" if code is None else f"{_TYPE} = {code.to_bytes(2).hex(':')}"
            for code in loader.architectures
        )
        for vendor, file, *more in (
            ("HTTPClient", subnet.loader_url(loader), 'option vendor-class-identifier "HTTPClient";'),
            ("PXEClient", loader.file),
        ):
            is_vendor = f'substring(option vendor-class-identifier, 0, {len(vendor)}) = "{vendor}"'
            yield f"}} elsif {is_vendor} and ({types}) {{"
            yield from _load(subnet, file, *more)
    yield "}"


def _load(subnet: Subnet, file: str, *more: str) -> Iterator[str]:
    yield from (f"  {line}" for line in (f"next-server {subnet.head};", f'filename "{file}";', *more))


def _hosts(subnet: Subnet) -> Iterator[str]:
    for host in subnet.hosts:
        inside = f'hardware ethernet {host.mac}; fixed-address {host.address}; option host-name "{host.name}";'
        yield f"host {host.label} {{ {inside} }}"
