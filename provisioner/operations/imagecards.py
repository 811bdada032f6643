"""The cards of nodes that another image has no driver for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from provisioner.config.paths import Paths
from provisioner.errors import IntegrityError, NotFoundError
from provisioner.events.hardware import HardwareFolder
from provisioner.image.cards import Card, CardDrivers, card_drivers
from provisioner.image.contrast import Finding, Weight
from provisioner.model.image import Generation
from provisioner.model.nodeset import fold
from provisioner.model.resolved import ResolvedNode

_WEIGHTS = {"01": Weight.PROBLEM, "02": Weight.PROBLEM, "0c06": Weight.PROBLEM, "03": Weight.WARNING}
"""What it means by the beginning of the class: storage, network and InfiniBand; a display adapter."""


def lost_cards(
    paths: Paths, before: Generation, after: Generation, nodes: Iterable[ResolvedNode]
) -> Iterator[Finding]:
    """Cards that stage 1 of nodes told of, which the one kernel has a driver for and the other has not."""
    old, new = card_drivers(paths, before), card_drivers(paths, after)
    for card, names in sorted(_cards(paths, nodes).items()):
        weight = next((weight for kind, weight in _WEIGHTS.items() if card.kind.startswith(kind)), None)
        if weight and (drivers := old.of(card)) and not _covered(new, card):
            message = f"{fold(names)} have such a card, and kernel {after.kernel_release} has no driver for it"
            remedy = "build the new image with a kernel, or a package, that has a driver for this card"
            yield Finding("drivers", weight, f"{card} ({', '.join(sorted(drivers))})", message, remedy)


def _covered(drivers: CardDrivers, card: Card) -> bool:
    # Kernels before 5.2 do not say what the drivers inside of them are for.
    return not drivers.complete or bool(drivers.of(card))


def _cards(paths: Paths, nodes: Iterable[ResolvedNode]) -> Mapping[Card, list[str]]:
    folder = HardwareFolder(paths.hardware)
    found: dict[Card, list[str]] = {}
    for node in nodes:
        for card in filter(None, map(Card.parse, set(_told(folder, node).split()))):
            found.setdefault(card, []).append(node.name)
    return found


def _told(folder: HardwareFolder, node: ResolvedNode) -> str:
    interface = node.boot_interface
    if interface is None or interface.mac is None:
        return ""
    try:
        return folder.read(str(interface.mac)).get("pci", "")
    except (NotFoundError, IntegrityError):
        return ""
