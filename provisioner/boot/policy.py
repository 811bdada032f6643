"""What does this machine boot, and why? One pure answer for every protocol."""

from __future__ import annotations

from provisioner.boot.fitness import misfit
from provisioner.model.boot import Boot, Decision, Machine, Refused, Unknown
from provisioner.model.catalogue import Catalogue
from provisioner.model.image import Generation
from provisioner.model.resolved import ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import RootKind

BUILT = frozenset({RootKind.OVERLAY, RootKind.TMPFS, RootKind.SINGLE, RootKind.STREAM})
"""The kinds of root that nodes can boot."""

NO_STREAM = "its kernel has no nbd or dm-verity, or it was packed by an earlier version"
"""Why there is no hash tree of a generation (image.packing)."""


def decide(snapshot: Snapshot, catalogue: Catalogue, machine: Machine) -> Decision:
    """The decision for a machine, by its MAC alone.

    In this order: no node has the MAC: unknown; the interface with this MAC has no address to boot with, the
    node has no image, its image or generation does not exist, is revoked, has another kernel than the node wants,
    or does not fit into the machine: refused; else it boots.
    """
    node = snapshot.by_mac.get(machine.mac)
    if node is None:
        return Unknown(machine.mac, f"no node has the MAC {machine.mac}")
    interface = node.interface_of(machine.mac)
    if interface is None or interface.ip is None:
        reason = f"{node.name} has no address on the interface with the MAC {machine.mac}"
        return Refused(node, reason, f"prov node set {node.name} --interface NAME --ip ADDRESS")
    if node.image is None:
        return Refused(node, f"{node.name} has no image", f"prov node set {node.name} --image NAME")
    generation = catalogue.find(node.image)
    if generation is None or catalogue.is_revoked(generation):
        return _without(node, generation)
    if (refused := _misfit(node, generation, machine.memory)) is not None:
        return refused
    return Boot(node, generation, interface, f"{node.name} boots {generation.name} ({_origin(node)})")


def _misfit(node: ResolvedNode, generation: Generation, memory: int | None) -> Refused | None:
    """Why a node cannot boot an image that exists; None where it can."""
    if not generation.boots:
        reason = f"the image {generation.name} of {node.name} cannot boot: {generation.why_not}"
        return Refused(node, reason, generation.remedy)
    if node.root.kind not in BUILT:
        reason = f"{node.name} has a root of kind {node.root.kind}, which this version cannot boot"
        return Refused(node, reason, f"prov node set {node.name} root.kind={RootKind.OVERLAY}")
    if node.root.kind is RootKind.STREAM and generation.verity is None:
        reason = f"the image {generation.name} of {node.name} cannot be streamed: {NO_STREAM}"
        return Refused(node, reason, f"prov node set {node.name} root.kind={RootKind.OVERLAY}")
    wanted = node.kernel_version
    if wanted is not None and not generation.kernel_release.startswith(wanted):
        reason = f"{node.name} wants the kernel {wanted}, but {generation.name} has {generation.kernel_release}"
        return Refused(node, reason, f"prov node set {node.name} kernel.version={generation.kernel_release}")
    unfit = misfit(node, generation, memory, BUILT)
    return None if unfit is None else Refused(node, unfit.reason, unfit.hint)


def _without(node: ResolvedNode, revoked: Generation | None) -> Refused:
    if revoked is None:
        return Refused(node, f"the image {node.image} of {node.name} does not exist", "prov image list")
    hint = f"prov image release {revoked.name}, or give the node a newer one"
    return Refused(node, f"the image {revoked.name} of {node.name} is revoked", hint)


def _origin(node: ResolvedNode) -> str:
    sources = node.provenance.get("image", ())
    return f"image set at {sources[-1]}" if sources else "image set nowhere"
