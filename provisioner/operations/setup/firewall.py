"""What lets nodes through the packet filter that is active: firewalld, ufw, or rules of nftables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioner.model.written import Ports
from provisioner.operations.setup.place import Place
from provisioner.operations.setup.steps import Append, Run, Step, Write

SERVICE = "provisioner"
SERVICE_FILE = Path("/etc/firewalld/services/provisioner.xml")
NFT_FILE = Path("/etc/nftables.d/provisioner.nft")
_NAME = "firewall"
_PROXY_DHCP, _DHCP6 = 4011, 547
_FAMILIES = frozenset({"inet", "ip"})
_CLOSING = frozenset({"drop", "reject"})


@dataclass(frozen=True, slots=True)
class Firewalld:
    """firewalld: the zone of the device, its services now and after a restart, and our service as it is known."""

    zone: str
    services: frozenset[str] = frozenset()
    service: bytes | None = None


@dataclass(frozen=True, slots=True)
class Ufw:
    """ufw: the rules that were added (`ufw show added`), and the ports that TFTP transfers come from."""

    added: str
    passing: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Nft:
    """nftables without a front: its rules (`nft --json list ruleset`), and the file that they are loaded from."""

    ruleset: str
    passing: tuple[int, int]
    loaded_from: Path | None = None
    included: bool = False


Firewall = Firewalld | Ufw | Nft


def firewall_step(firewall: Firewall | None, place: Place, ports: Ports) -> Step:
    """How nodes are let through; nothing is done where nothing filters."""
    if isinstance(firewall, Firewalld):
        return _firewalld(firewall, ports)
    if isinstance(firewall, Ufw):
        return _ufw(firewall, place, ports)
    if isinstance(firewall, Nft):
        return _nft(firewall, place, ports)
    return Step(_NAME, "no packet filter is in the way")


def service_xml(ports: Ports) -> bytes:
    """Our service for firewalld; its helper lets the transfers of TFTP through, which use ports of their own."""
    rows = [f'  <port protocol="udp" port="{each}"/>' for each in _udp(ports)]
    rows += [f'  <port protocol="tcp" port="{each}"/>' for each in _tcp(ports)]
    return "\n".join(
        (
            '<?xml version="1.0" encoding="utf-8"?>',
            "<service>",
            "  <short>Provisioner</short>",
            "  <description>DHCP, TFTP, DNS and HTTP for nodes that boot from this machine.</description>",
            *rows,
            '  <helper name="tftp"/>',
            "</service>\n",
        )
    ).encode()


def _firewalld(firewall: Firewalld, ports: Ports) -> Step:
    wanted = service_xml(ports)
    known, opened = firewall.service == wanted, SERVICE in firewall.services
    found = f"firewalld, zone {firewall.zone}"
    if known and opened:
        return Step(_NAME, f"{found}, lets nodes through")
    reload = Run(("firewall-cmd", "--quiet", "--reload"))
    made = () if known else (Write(SERVICE_FILE, wanted), reload)
    add = Run(("firewall-cmd", "--quiet", "--permanent", f"--zone={firewall.zone}", f"--add-service={SERVICE}"))
    return Step(_NAME, found, f"add the service {SERVICE} to the zone {firewall.zone}", (*made, add, reload))


def _ufw(firewall: Ufw, place: Place, ports: Ports) -> Step:
    first, last = firewall.passing
    udp = ",".join(map(str, _udp(ports)))
    tcp = ",".join(map(str, _tcp(ports)))
    rules = [
        ("ufw", "allow", "in", "on", place.device, "to", "any", "port", port, "proto", protocol)
        for port, protocol in ((udp, "udp"), (tcp, "tcp"), (f"{first}:{last}", "udp"))
    ]
    there = {line.strip() for line in firewall.added.splitlines()}
    missing = [Run(each) for each in rules if " ".join(each) not in there]
    if not missing:
        return Step(_NAME, f"ufw lets nodes through on {place.device}")
    return Step(_NAME, "ufw is active", f"let nodes through on {place.device}", tuple(missing))


def _nft(firewall: Nft, place: Place, ports: Ports) -> Step:
    listed = [each for each in json.loads(firewall.ruleset or "{}").get("nftables", []) if isinstance(each, dict)]
    closed = list(_closed_chains(listed))
    shut = [each for each in closed if not _named(listed, each)]
    if not closed:
        return Step(_NAME, "no packet filter is in the way")
    if not shut and firewall.included:
        return Step(_NAME, f"nftables lets nodes through on {place.device}")
    names = ", ".join(" ".join((each["table"], each["name"])) for each in closed)
    found = f"nftables drops what comes in ({names})"
    if firewall.loaded_from is None or any(each["name"] == "INPUT" for each in closed):
        return Step(_NAME, found, by_hand=_by_hand(place, ports, firewall.passing))
    rules = "".join(f"{_rule(each, place, ports, firewall.passing)}\n" for each in closed)
    actions: list[Write | Append | Run] = [Write(NFT_FILE, rules.encode())]
    if not firewall.included:
        actions.append(Append(firewall.loaded_from, f'include "{NFT_FILE}"'))
    if shut:
        actions.append(Run(("nft", "--file", str(NFT_FILE))))
    return Step(_NAME, found, f"let nodes through on {place.device}", tuple(actions))


def _closed_chains(listed: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Chains of what comes in that drop what no rule lets through."""
    for each in listed:
        chain = each.get("chain", {})
        if chain.get("hook") == "input" and chain.get("family") in _FAMILIES and chain.get("type") == "filter":
            rules = [row["rule"] for row in listed if "rule" in row and _is_of(row["rule"], chain)]
            if chain.get("policy") == "drop" or (rules and _closes(rules[-1])):
                yield chain


def _is_of(rule: dict[str, Any], chain: dict[str, Any]) -> bool:
    return (rule["family"], rule["table"], rule["chain"]) == (chain["family"], chain["table"], chain["name"])


def _closes(rule: dict[str, Any]) -> bool:
    """Whether a rule drops everything that gets there."""
    kinds = {kind for each in rule.get("expr", []) for kind in each}
    return bool(kinds & _CLOSING) and "match" not in kinds


def _named(listed: list[dict[str, Any]], chain: dict[str, Any]) -> bool:
    rules = (row["rule"] for row in listed if "rule" in row)
    return any(_is_of(each, chain) and each.get("comment") == SERVICE for each in rules)


def _rule(chain: dict[str, Any], place: Place, ports: Ports, passing: tuple[int, int]) -> str:
    where = f"{chain['family']} {chain['table']} {chain['name']}"
    udp = ", ".join(map(str, (*_udp(ports), f"{passing[0]}-{passing[1]}")))
    tcp = ", ".join(map(str, _tcp(ports)))
    return "\n".join(
        f'insert rule {where} iifname "{place.device}" {protocol} dport {{ {named} }} accept comment "{SERVICE}"'
        for protocol, named in (("udp", udp), ("tcp", tcp))
    )


def _by_hand(place: Place, ports: Ports, passing: tuple[int, int]) -> str:
    udp = ",".join(map(str, (*_udp(ports), f"{passing[0]}:{passing[1]}")))
    tcp = ",".join(map(str, _tcp(ports)))
    return "; ".join(
        f"iptables -I INPUT -i {place.device} -p {protocol} -m multiport --dports {named} -j ACCEPT"
        for protocol, named in (("udp", udp), ("tcp", tcp))
    )


def _udp(ports: Ports) -> list[int]:
    return sorted({each for each in (ports.dns, ports.dhcp, ports.tftp, _DHCP6, _PROXY_DHCP) if each})


def _tcp(ports: Ports) -> list[int]:
    return sorted({each for each in (ports.dns, ports.http, ports.https, ports.nbd) if each})
