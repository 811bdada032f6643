"""The site for Kea (kea-dhcp4): a whole configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from provisioner.dhcp.policy import LEASE_SECONDS, POOL_SECONDS
from provisioner.exchange.addressing import NO_PROXY, Addressing, Loader, Subnet
from provisioner.exchange.inventory import Exported

_COMMENT = "Made by prov export kea. Say in interfaces-config where to listen."
_IPXE = "option[175].exists or option[77].hex == 'iPXE' or substring(option[77].hex, 1, 4) == 'iPXE'"


def export_kea(addressing: Addressing) -> Exported:
    """One document: what machines are as client classes, then subnets with their reservations."""
    classes = [*_kinds(addressing.loaders)]
    for subnet in addressing.subnets:
        classes += _steps(subnet, addressing.loaders)
    content = {
        "comment": _COMMENT,
        "interfaces-config": {"interfaces": ["*"]},
        "lease-database": {"type": "memfile"},
        "authoritative": True,
        # A machine is known by its MAC alone: firmware, loader and system send other client identifiers each.
        "match-client-id": False,
        "host-reservation-identifiers": ["hw-address"],
        "reservations-out-of-pool": True,
        "valid-lifetime": LEASE_SECONDS,
        "calculate-tee-times": True,
        "t1-percent": 0.5,
        "t2-percent": 0.875,
        "client-classes": classes,
        "subnet4": [_subnet(number, subnet, classes) for number, subnet in enumerate(addressing.subnets, 1)],
    }
    return Exported(json.dumps({"Dhcp4": content}, indent=1) + "\n", addressing.left_out)


def _kinds(loaders: tuple[Loader, ...]) -> Iterator[dict[str, Any]]:
    yield {"name": "prov-ipxe", "test": _IPXE}
    for name, vendor in (("prov-http", "HTTPClient"), ("prov-pxe", "PXEClient")):
        is_vendor = f"substring(option[60].hex, 0, {len(vendor)}) == '{vendor}'"
        yield {"name": name, "test": f"not member('prov-ipxe') and {is_vendor}"}
    for loader in loaders:
        tests = [
            "not option[93].exists" if code is None else f"substring(option[93].hex, 0, 2) == 0x{code:04x}"
            for code in loader.architectures
        ]
        yield {"name": f"prov-{loader.file}", "test": " or ".join(tests)}
    yield {"name": "prov-unknown", "test": "member('UNKNOWN')", "valid-lifetime": POOL_SECONDS}


def _steps(subnet: Subnet, loaders: tuple[Loader, ...]) -> Iterator[dict[str, Any]]:
    no_proxy = {"code": 175, "csv-format": False, "data": NO_PROXY.hex(), "always-send": True}
    yield _step(subnet, "ipxe", "member('prov-ipxe')", subnet.script, no_proxy)
    vendor = {"name": "vendor-class-identifier", "data": "HTTPClient", "always-send": True}
    for loader in loaders:
        is_loader = f"member('prov-{loader.file}')"
        http, pxe = f"member('prov-http') and {is_loader}", f"member('prov-pxe') and {is_loader}"
        yield _step(subnet, f"http-{loader.file}", http, subnet.loader_url(loader), vendor)
        yield _step(subnet, f"pxe-{loader.file}", pxe, loader.file)


def _step(subnet: Subnet, name: str, test: str, file: str, *options: dict[str, Any]) -> dict[str, Any]:
    # The class counts only in the subnet that asks for it: another one has another head node.
    return {
        "name": f"{subnet.name}:{name}",
        "test": test,
        "only-if-required": True,
        "next-server": str(subnet.head),
        "boot-file-name": file,
        "option-data": list(options),
    }


def _subnet(number: int, subnet: Subnet, classes: list[dict[str, Any]]) -> dict[str, Any]:
    settings = {
        "routers": [subnet.gateway] if subnet.gateway else [],
        "domain-name-servers": subnet.resolvers,
        "domain-name": [subnet.domain],
        "domain-search": subnet.search,
    }
    options = [{"name": name, "data": ", ".join(map(str, data))} for name, data in settings.items() if data]
    prefix = f"{subnet.name}:"
    return {
        "id": number,
        "comment": subnet.name,
        "subnet": str(subnet.cidr),
        "option-data": options,
        "require-client-classes": [each["name"] for each in classes if each["name"].startswith(prefix)],
        "pools": [{"pool": subnet.pool}] if subnet.pool else [],
        "reservations": [
            {"hw-address": str(host.mac), "ip-address": str(host.address), "hostname": host.name}
            for host in subnet.hosts
        ],
    }
