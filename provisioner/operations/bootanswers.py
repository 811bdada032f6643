"""What a node is told while it boots, as lines of text that two revisions can be compared by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address

from provisioner.boot.script import ScriptTokens, kernel_line
from provisioner.dhcp.message import NO_ADDRESS, Message, Option
from provisioner.errors import ProvisionerError
from provisioner.model.address import MacAddress
from provisioner.model.boot import Boot, Decision, Local, Refused
from provisioner.model.resolved import ResolvedInterface, ResolvedNode
from provisioner.operations.firmware import Asker, askers_for
from provisioner.operations.side import Side, dns_names

TOKENS = ScriptTokens("SCRIPT-TOKEN", "STAGE1-TOKEN")
_TEXTS = frozenset({Option.HOST_NAME, Option.DOMAIN_NAME, Option.TEXT, Option.VENDOR_CLASS})
_TIMES = frozenset({Option.LEASE_TIME, Option.RENEWAL_TIME, Option.REBINDING_TIME})
_ADDRESSES = frozenset({Option.SUBNET_MASK, Option.ROUTER, Option.DNS, Option.SERVER})
_NAMES = {each.value: each.name.lower().replace("_", "-") for each in Option}
_OF_THE_PROTOCOL = frozenset({Option.KIND})

Lines = tuple[str, ...]
# What is told, by what it is and (of several) which one: ("dhcp", "eth0 bios").
Told = Mapping[tuple[str, str], Lines]


def told(side: Side, node: ResolvedNode, *, network: bool = True) -> Told:
    """Everything that a node is told, but for its overlays; without `network` not what DHCP and DNS say."""
    found: dict[tuple[str, str], Lines] = {}
    for interface, mac in hardware(node):
        # A node with one device has nothing to tell apart.
        label = "" if interface is node.boot_interface else f"{interface.name} "
        decision = side.decide(mac)
        found["image", label.strip()] = tuple(_decided(decision))
        found.update(_script(side, decision, interface, label.strip()))
        if network and interface.network in side.snapshot.site.networks:
            for asker in askers_for("x86_64"):
                found["dhcp", f"{label}{asker}"] = tuple(_dhcp(side, asker, interface, mac))
    if not found:
        found["image", ""] = ("no interface has a MAC: no machine is this node",)
    if network:
        found["dns", ""] = tuple(sorted(map(" ".join, side.records(frozenset(dns_names(node))))))
    return found


def hardware(node: ResolvedNode) -> list[tuple[ResolvedInterface, MacAddress]]:
    """The devices that a machine can boot from, the one that shall first."""
    known = [(each, each.mac) for each in node.interfaces if each.mac is not None]
    return sorted(known, key=lambda pair: pair[0] is not node.boot_interface)


def _decided(decision: Decision) -> Iterator[str]:
    match decision:
        case Boot(generation=generation):
            yield f"boots {generation.name} (kernel {generation.kernel_release})"
        case Local():
            yield "boots its own disk"
        case Refused():
            yield f"refused: {decision.reason}"
        case _:
            yield f"unknown: {decision.reason}"


def _script(side: Side, decision: Decision, interface: ResolvedInterface, label: str) -> Told:
    mac = interface.mac
    if mac is None or interface.network not in side.snapshot.site.networks:
        return {}
    found: dict[tuple[str, str], Lines] = {}
    try:
        text = side.script(decision, interface.network, mac, TOKENS)
        if isinstance(decision, Boot):
            url = side.snapshot.boot_urls(interface)[0]
            line = kernel_line(decision, side.snapshot, url=url, token=TOKENS.stage1, mac=mac)
            found["kernel line", label] = tuple(line.split(" "))
            text = text.replace(line, "{kernel line}")
    except ProvisionerError as error:
        text = f"cannot be made: {error.message}"
    return {**found, ("boot script", label): tuple(text.splitlines())}


def _dhcp(side: Side, asker: Asker, interface: ResolvedInterface, mac: MacAddress) -> Iterator[str]:
    decided = side.dhcp(asker, interface, mac)
    if decided.reply is None:
        yield f"no answer: {decided.reason}"
    else:
        yield from _reply(decided.reply)


def _reply(reply: Message) -> Iterator[str]:
    yield f"address {reply.yiaddr}"
    if reply.siaddr != NO_ADDRESS:
        yield f"next-server {reply.siaddr}"
    if reply.file:
        yield f"file {reply.file.decode(errors='replace')}"
    for code, value in sorted(reply.options.items()):
        if code not in _OF_THE_PROTOCOL:
            yield f"{_NAMES.get(code, f'option-{code}')} {_option_value(code, value)}"


def _option_value(code: int, value: bytes) -> str:
    if code in _ADDRESSES:
        return " ".join(str(IPv4Address(value[at : at + 4])) for at in range(0, len(value), 4))
    if code in _TIMES:
        return f"{int.from_bytes(value, 'big')} s"
    return value.decode(errors="replace") if code in _TEXTS else value.hex()
