"""May this machine have that, now? The rules for everything that is fetched or reported, and nothing beside them.

Loaders, and the script of a machine that cannot boot, are for everybody: they hold nothing of any node. The script
of a node is for the address that the node has, what its tokens open is for who holds them and stands where they
were issued to. Nothing rests on ARP: an address that the machine does not have yet proves nothing (RFC 826 has no
authentication), which is why a token is needed beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, ip_address

from provisioner.boot.ledger import REPEAT_WINDOW
from provisioner.model.address import Address, MacAddress
from provisioner.model.boot import Boot, BootRecord, Local, MemoryTest, TokenStage
from provisioner.model.event import Level
from provisioner.model.resolved import ResolvedInterface
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import Dhcp6Mode, DhcpMode, Network
from provisioner.trust.token import Claims


class Resource(StrEnum):
    """What a token can open."""

    KERNEL = "kernel"
    STAGE1 = "stage1"
    UKI = "uki"
    REFUSED = "refused"
    ARCHIVE = "archive"
    NODE = "node"
    SHEET = "sheet"
    ROOT = "root"
    STREAM = "stream"
    SYSTEM_OVERLAY = "overlay/system"
    RUNTIME_OVERLAY = "overlay/runtime"
    REPORT = "report"
    LOG = "log"
    HARDWARE = "hardware"
    TPM = "tpm"
    QUOTE = "quote"


_OPENS = {
    TokenStage.SCRIPT: {
        Resource.KERNEL,
        Resource.STAGE1,
        Resource.UKI,
        Resource.REFUSED,
        Resource.ARCHIVE,
        Resource.NODE,
    },
    TokenStage.STAGE1: {
        Resource.SHEET,
        Resource.ROOT,
        Resource.SYSTEM_OVERLAY,
        Resource.REPORT,
        Resource.LOG,
        Resource.HARDWARE,
        Resource.TPM,
        Resource.QUOTE,
    },
    TokenStage.SYSTEM: {Resource.RUNTIME_OVERLAY, Resource.REPORT},
    # It travels in the clear, so it opens nothing else than what travels in the clear besides: the packed root.
    TokenStage.STREAM: {Resource.STREAM},
}
_RUNNING = (TokenStage.SYSTEM, TokenStage.STREAM)

_LAST_WORDS = frozenset({Resource.REPORT, Resource.LOG})


@dataclass(frozen=True, slots=True)
class Denied:
    """No, and why. An alarm is a request that no honest node makes."""

    reason: str
    level: Level = Level.ALARM


class Requester(StrEnum):
    """Who asks, by the address that a request comes from."""

    ITSELF = "the machine itself"
    ANOTHER_NODE = "another node"
    STRANGER = "an address that no node has"


def source(remote: str | None) -> Address:
    """The address of a request, in one form: the IPv4 address where it is mapped into IPv6 (RFC 4291, 2.5.5.2)."""
    address = ip_address((remote or "::").partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def requester_of(claims: Claims, remote: str | None, snapshot: Snapshot) -> Requester:
    """Who sends a request with these claims."""
    address = source(remote)
    holder = snapshot.by_address.get(address)
    if str(address) in claims.sources or (holder is not None and holder.name == claims.node):
        return Requester.ITSELF
    return Requester.ANOTHER_NODE if holder else Requester.STRANGER


def script_access(
    decision: Boot | Local | MemoryTest,
    mac: MacAddress,
    remote: str | None,
    *,
    snapshot: Snapshot,
    holder: MacAddress | None,
) -> Denied | None:
    """None where the script of a node goes to that machine: to its own address, or one that it holds of the pool.

    `holder` is the machine that holds the address of the pool. Where somebody else gives out the addresses,
    nothing is known of them.
    """
    interface, address = decision.node.interface_of(mac), source(remote)
    if interface is None or not _gives_out(snapshot.site.networks[interface.network], interface, address):
        return None
    written = (interface.ip, interface.ip6)
    if holder == mac or address in [each.ip for each in written if each]:
        return None
    return Denied(f"{remote} asks for the script of {decision.node.name} ({interface.boot_address})")


def _gives_out(network: Network, interface: ResolvedInterface, address: Address) -> bool:
    """Whether we know which address a machine has: a node without an IPv4 address has none of another server."""
    if network.dhcp is DhcpMode.AUTHORITATIVE:
        return True
    return network.dhcp6 is Dhcp6Mode.AUTHORITATIVE and (address.version == 6 or interface.ip is None)


def access(
    claims: Claims, record: BootRecord | None, resource: Resource, *, requester: Requester, now: float
) -> Denied | None:
    """None where the request is right, else the reason why not.

    It must come from the machine that the token was issued to; a running node may have more addresses than
    anybody wrote, but none of another node. The token must open the resource, belong to the newest boot of its
    machine, and its stage must be open. A report that closed a stage may be repeated for a minute, because its
    answer may get lost; not any more once the next stage has reported, because then the answer has arrived. A
    boot that has failed gets nothing more; it may report, and send its log.
    """
    if requester is Requester.ANOTHER_NODE or (requester is Requester.STRANGER and claims.stage not in _RUNNING):
        return Denied(f"a token of {claims.node} comes from {requester}, and not from {claims.sources[0]}")
    if resource not in _OPENS[claims.stage]:
        return Denied(f"a token of stage {claims.stage} does not open {resource}")
    if record is None:
        return Denied(f"boot {claims.boot} of {claims.node} is over: the machine has booted again since")
    if record.state == "failed" and claims.stage is not TokenStage.SYSTEM and resource not in _LAST_WORDS:
        return Denied(f"boot {claims.boot} of {claims.node} has failed")
    order = list(TokenStage)
    if order.index(claims.stage) >= order.index(record.stage):
        return None
    next_is_silent = record.state == record.stage.value
    if resource is Resource.REPORT and next_is_silent and now - record.changed < REPEAT_WINDOW:
        return None
    return Denied(f"stage {claims.stage} of boot {claims.boot} is closed")
