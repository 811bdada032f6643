"""The site for dnsmasq(8): a file for its `conf-dir`."""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.dhcp.policy import LEASE_SECONDS, POOL_SECONDS
from provisioner.exchange.addressing import Addressing, Loader, Subnet
from provisioner.exchange.inventory import Exported

# A machine is known by its MAC: firmware, loader and system send other client identifiers each. And the name of
# the file stays in the header, where all firmware looks for it.
_HEAD = """\
# Made by prov export dnsmasq. It says nothing of DNS: write `port=0` where dnsmasq should leave that alone.
dhcp-authoritative
dhcp-ignore-clid
dhcp-no-override
dhcp-userclass=set:prov-ipxe,iPXE
dhcp-match=set:prov-ipxe,175
dhcp-vendorclass=set:prov-pxe,PXEClient
dhcp-vendorclass=set:prov-http,HTTPClient
dhcp-match=set:prov-architecture,93
dhcp-option-force=tag:prov-http,tag:!prov-ipxe,60,HTTPClient
# No proxy will offer anything, so iPXE need not wait 3 s for one.
dhcp-option-force=tag:prov-ipxe,175,b0:01:01
"""


def export_dnsmasq(addressing: Addressing) -> Exported:
    """What machines are by the tags `prov-*`, then network by network what they get."""
    lines = [line for loader in addressing.loaders for line in _matches(loader)]
    for subnet in addressing.subnets:
        lines += ["", f"# {subnet.name}", *_network(subnet), *_steps(subnet, addressing.loaders), *_hosts(subnet)]
    return Exported(_HEAD + "".join(f"{line}\n" for line in lines), addressing.left_out)


def _matches(loader: Loader) -> Iterator[str]:
    for code in loader.architectures:
        if code is not None:
            yield f"dhcp-match=set:prov-{loader.file},option:client-arch,{code}"


def _network(subnet: Subnet) -> Iterator[str]:
    first, last = subnet.pool.ends if subnet.pool else (subnet.cidr.network_address, "static")
    seconds = POOL_SECONDS if subnet.pool else LEASE_SECONDS
    yield f"dhcp-range=set:net-{subnet.name},{first},{last},{subnet.cidr.netmask},{seconds}"
    settings = {
        # An option without a value is not sent; unwritten, dnsmasq would name itself.
        "router": [subnet.gateway] if subnet.gateway else [],
        "dns-server": subnet.resolvers,
        "domain-name": [subnet.domain],
        **({"domain-search": subnet.search} if subnet.search else {}),
    }
    for name, values in settings.items():
        yield ",".join([f"dhcp-option=tag:net-{subnet.name}", f"option:{name}", *map(str, values)])


def _steps(subnet: Subnet, loaders: tuple[Loader, ...]) -> Iterator[str]:
    yield _step(subnet, ["prov-ipxe"], subnet.script)
    for loader in loaders:
        for tag in (f"prov-{loader.file}", *(["!prov-architecture"] if None in loader.architectures else [])):
            yield _step(subnet, ["!prov-ipxe", "prov-http", tag], subnet.loader_url(loader))
            yield _step(subnet, ["!prov-ipxe", "prov-pxe", tag], loader.file)


def _step(subnet: Subnet, tags: list[str], file: str) -> str:
    words = [f"tag:{tag}" for tag in (f"net-{subnet.name}", *tags)]
    # Without a host name, the third place is the address of the server that has the file.
    return f"dhcp-boot={','.join(words)},{file},,{subnet.head}"


def _hosts(subnet: Subnet) -> Iterator[str]:
    for host in subnet.hosts:
        yield f"dhcp-host={host.mac},{host.address},{host.name},{LEASE_SECONDS}"
