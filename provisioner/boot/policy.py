"""What does this machine boot, and why? One pure answer for every protocol."""

from __future__ import annotations

from provisioner.boot import diskroot
from provisioner.boot.fitness import misfit
from provisioner.model.boot import Boot, Decision, Local, Machine, MemoryTest, Refused, Unknown
from provisioner.model.bootcontrol import DISK, MEMTEST, NOTHING, RESCUE, Control, Once
from provisioner.model.catalogue import Catalogue
from provisioner.model.image import NO_STREAM, Generation
from provisioner.model.resolved import ResolvedInterface, ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import BootSource, Dhcp6Mode, RootKind

BUILT = frozenset(RootKind)
"""The kinds of root that nodes can boot."""

_HINT6 = "write dhcp6: authoritative for that network in provisioner.yaml, or give the node an --ip too"


def decide(snapshot: Snapshot, catalogue: Catalogue, machine: Machine, control: Control = NOTHING) -> Decision:
    """The decision for a machine, by its MAC alone.

    In this order: no node has the MAC: unknown; its own disk or a memory test is ordered: that; the interface with
    this MAC has no address to boot with, or an IPv6 one alone where nothing is served for it: refused; the node
    boots from its own disk: local; it has no image, its image or generation does not exist, is revoked, has
    another kernel than the node wants, or does not fit into the machine: refused; else it boots. `control` is what
    was ordered for the node's next boot, and the last good generation where its own fails.
    """
    node = snapshot.by_mac.get(machine.mac)
    if node is None:
        return Unknown(machine.mac, f"no node has the MAC {machine.mac}", surveyor(snapshot, catalogue))
    if elsewhere := _elsewhere(node, control.once):
        return elsewhere
    interface = node.interface_of(machine.mac)
    if interface is None or interface.boot_address is None:
        reason = f"{node.name} has no address on the interface with the MAC {machine.mac}"
        return Refused(node, reason, f"prov node set {node.name} --interface NAME --ip ADDRESS")
    if interface.ip is None and (lack := _no_ipv6(snapshot, interface)):
        return Refused(node, f"{node.name} has an IPv6 address alone on {interface.name}, {lack}", _HINT6)
    if node.boot.source is BootSource.DISK and control.once is None:
        return Local(node, f"{node.name} boots its own disk ({_origin(node, 'boot.source')})")
    return _image(node, catalogue, interface, machine.memory, control)


def _no_ipv6(snapshot: Snapshot, interface: ResolvedInterface) -> str | None:
    """Why nothing answers a node over IPv6: the daemon listens there where it gives out such addresses."""
    network = snapshot.site.networks.get(interface.network)
    if network is not None and network.dhcp6 is not Dhcp6Mode.OFF and network.head6 is not None:
        return None
    return f"and nothing is served over IPv6 on the network {interface.network}"


def _image(
    node: ResolvedNode, catalogue: Catalogue, interface: ResolvedInterface, memory: int | None, control: Control
) -> Boot | Refused:
    reference, origin = _wanted(node, control)
    if reference is None:
        return Refused(node, f"{node.name} has no image", f"prov node set {node.name} --image NAME")
    generation = catalogue.find(reference)
    if generation is None or catalogue.is_revoked(generation):
        return _without(node, reference, generation)
    if fault := _misfit(node, generation, memory):
        return Refused(node, *fault)
    rescue = control.once is not None and control.once.what == RESCUE
    what = f"a rescue shell of {generation.name}" if rescue else generation.name
    return Boot(node, generation, interface, f"{node.name} boots {what} ({origin})", rescue)


def surveyor(snapshot: Snapshot, catalogue: Catalogue) -> Generation | None:
    """The generation whose stage 1 looks at machines that are no nodes; None where the site has none."""
    named = snapshot.site.discovery.image
    generation = catalogue.find(named) if named else None
    return generation if generation and generation.boots else None


def _misfit(node: ResolvedNode, generation: Generation, memory: int | None) -> tuple[str, str] | None:
    """Why a node cannot boot a generation, and the command that helps."""
    if not generation.boots:
        reason = f"the image {generation.name} of {node.name} cannot boot: {generation.why_not}"
        return reason, generation.remedy
    if node.root.kind is RootKind.STREAM and not generation.streams:
        reason = f"the image {generation.name} of {node.name} cannot be streamed: {NO_STREAM}"
        return reason, f"prov node set {node.name} root.kind={RootKind.OVERLAY}"
    if node.root.kind is RootKind.SINGLE and node.tpm.required:
        reason = f"{node.name} has to show its TPM, which an image that is its own initramfs cannot do"
        return reason, f"prov node set {node.name} root.kind={RootKind.OVERLAY}"
    wanted = node.kernel_version
    if wanted is not None and not generation.kernel_release.startswith(wanted):
        reason = f"{node.name} wants the kernel {wanted}, but {generation.name} has {generation.kernel_release}"
        return reason, f"prov node set {node.name} kernel.version={generation.kernel_release}"
    unfit = misfit(node, generation, memory, BUILT)
    return diskroot.unfit(node) if unfit is None else (unfit.reason, unfit.hint)


def _elsewhere(node: ResolvedNode, once: Once | None) -> Local | MemoryTest | None:
    """What an order has the machine boot that is no image."""
    if once and once.what == DISK:
        return Local(node, f"{node.name} boots its own disk ({once})")
    if once and once.what == MEMTEST:
        return MemoryTest(node, f"{node.name} tests its memory ({once})")
    return None


def _wanted(node: ResolvedNode, control: Control) -> tuple[str | None, str]:
    """The image that a node is to boot, and who says so: an order, its failed boots, or what is written."""
    once, fallback = control.once, control.fallback
    if once and once.generation:
        return once.generation, str(once)
    written = (node.image, _origin(node, "image"))
    reference, origin = (fallback.good, f"last good: {fallback}") if fallback else written
    return reference, f"{once}; {origin}" if once else origin


def _without(node: ResolvedNode, reference: str, revoked: Generation | None) -> Refused:
    if revoked is None:
        return Refused(node, f"the image {reference} of {node.name} does not exist", "prov image list")
    hint = f"prov image release {revoked.name}, or give the node a newer one"
    return Refused(node, f"the image {revoked.name} of {node.name} is revoked", hint)


def _origin(node: ResolvedNode, field: str) -> str:
    sources = node.provenance.get(field, ())
    return f"{field} set at {sources[-1]}" if sources else f"{field} set nowhere"
