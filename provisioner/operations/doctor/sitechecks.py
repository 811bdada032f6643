"""Checks of the site: what is written, what it names, and whether that is there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from provisioner.boot.policy import decide
from provisioner.model.boot import Machine, Refused
from provisioner.model.resolved import ResolvedNode
from provisioner.model.written import DhcpMode
from provisioner.operations.doctor.evidence import Evidence
from provisioner.operations.doctor.finding import NODE, Finding, Severity, Witness, of_head, of_node

_FAULT, _WARNING, _NOTE = Severity.FAULT, Severity.WARNING, Severity.NOTE
_MOST_PROBLEMS = 3
_LOADERS = ("undionly.kpxe", "snponly.efi")
_AGENT = "agent"


def mistakes(evidence: Evidence) -> Iterator[Finding]:
    """Whether what is written can be served."""
    if evidence.problems:
        count = len(evidence.problems)
        message = (
            f"{count} mistake{'s' if count > 1 else ''} in what is written; the last good revision stays served"
        )
        shown = [Witness(str(each).partition("\n")[0]) for each in evidence.problems[:_MOST_PROBLEMS]]
        yield of_head("site-mistakes", _FAULT, message, "prov check", evidence=shown)


def unrenderable(evidence: Evidence) -> Iterator[Finding]:
    """Whether the overlays of all nodes can be rendered."""
    if evidence.unrenderable:
        message = f"{len(evidence.unrenderable)} mistakes keep overlays of nodes from being rendered"
        shown = [Witness(str(each).partition("\n")[0]) for each in evidence.unrenderable[:_MOST_PROBLEMS]]
        yield of_head("overlay-unrenderable", _FAULT, message, "prov check", evidence=shown)


def refused(evidence: Evidence) -> Iterator[Finding]:
    """Which machines of nodes would be refused, and why: no image, no address, an image that cannot boot."""
    if evidence.snapshot is None:
        return
    for mac, node in evidence.snapshot.by_mac.items():
        machine = Machine(mac, runs_ipxe=True, memory=evidence.memories.get(node.name))
        decision = decide(evidence.snapshot, evidence.catalogue, machine)
        interface = node.interface_of(mac)
        if isinstance(decision, Refused) and interface and interface.name == node.primary:
            reason = decision.reason.replace(node.name, NODE)
            yield of_node("node-refused", _FAULT, node.name, f"cannot boot: {reason}", _fix_of(decision, node))


def images(evidence: Evidence) -> Iterator[Finding]:
    """Which images that nodes boot are damaged on the disk."""
    for name, fault in evidence.damaged.items():
        image = name.partition("@")[0]
        nodes = [each for each in evidence.nodes.values() if _boots(evidence, each) == name]
        for node in nodes:
            message = f"the image {name} is damaged: {fault}"
            yield of_node(
                "image-damaged",
                _FAULT,
                node.name,
                message,
                f"prov image verify {image}",
                f"prov image rollback {image}",
            )


def identities(evidence: Evidence) -> Iterator[Finding]:
    """Which nodes claim the same UUID or serial number."""
    for field in ("uuid", "serial"):
        holders: defaultdict[str, list[str]] = defaultdict(list)
        for node in evidence.nodes.values():
            if (value := getattr(node, field)) is not None:
                holders[str(value).lower()].append(node.name)
        for value, names in sorted(holders.items()):
            for name in names if len(names) > 1 else ():
                message = f"several nodes have the {field} {value}"
                yield of_node("identity-shared", _WARNING, name, message, f"prov node set NODE {field}=VALUE")


def loaders(evidence: Evidence) -> Iterator[Finding]:
    """Whether the loaders that firmware asks for are installed."""
    installed = evidence.host.loaders
    if installed is None or not _serves_dhcp(evidence):
        return
    for name in _LOADERS:
        if name not in installed:
            message = f"the loader {name} is not installed: machines that need it cannot boot"
            fix = f"apt-get install ipxe || dnf install ipxe-bootimgs || cp {name} {evidence.paths.state}/loaders/"
            yield of_head("loader-absent", _FAULT, message, fix, "systemctl restart provisioner")


def agents(evidence: Evidence) -> Iterator[Finding]:
    """Which nodes have no agent, so that nobody learns whether they run."""
    for node in evidence.nodes.values():
        if _AGENT not in {*node.system_overlays, *node.runtime_overlays}:
            message = "has no agent among its overlays: it never reports, and never gets ready"
            yield of_node(
                "agent-absent", _WARNING, node.name, message, f"prov node set {NODE} overlays.system+=agent"
            )


def pools(evidence: Evidence) -> Iterator[Finding]:
    """Networks whose unknown machines get no address, so that discovery shows less of them."""
    site = evidence.snapshot.site if evidence.snapshot else None
    for name, network in site.networks.items() if site else ():
        waiting = [
            each for each in evidence.named("dhcp.ignored") if f"network {name} has no pool" in each.message
        ]
        if network.pool is None and waiting:
            message = f"the network {name} has no pool, so machines that are no nodes get no address in it"
            fix = f"edit provisioner.yaml: networks.{name}.pool: FIRST-LAST"
            yield of_head("pool-absent", _NOTE, message, fix, evidence=[Witness.of(waiting[0])])
        full = [
            each
            for each in evidence.named("dhcp.ignored")
            if f"pool of the network {name} is full" in each.message
        ]
        if full:
            message = f"the pool of the network {name} ({network.pool}) is full"
            fix = f"edit provisioner.yaml: networks.{name}.pool: a longer range"
            yield of_head("pool-full", _FAULT, message, fix, "prov discover", evidence=[Witness.of(full[0])])


def _fix_of(decision: Refused, node: ResolvedNode) -> str:
    return decision.hint.replace(f" {node.name} ", f" {NODE} ")


def _boots(evidence: Evidence, node: ResolvedNode) -> str | None:
    generation = evidence.catalogue.find(node.image) if node.image else None
    return generation.name if generation else None


def _serves_dhcp(evidence: Evidence) -> bool:
    networks = evidence.snapshot.site.networks.values() if evidence.snapshot else ()
    return any(each.dhcp is not DhcpMode.OFF for each in networks)


CHECKS = (mistakes, unrenderable, refused, images, identities, loaders, agents, pools)
