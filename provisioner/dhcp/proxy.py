"""Boot files beside a DHCP server of the site, which gives out the addresses (`dhcp: proxy`).

Firmware hears two offers, one with an address and one of a "PXEClient" server without one, and takes the boot file
of the second (PXE specification 2.1, section 2.2.5). Some firmware asks for it once more, by unicast to port 4011.
Only nodes are answered: the network has other machines, whose boot is not our business.
"""

from __future__ import annotations

from provisioner.dhcp.answer import Answer, ignored
from provisioner.dhcp.case import Case
from provisioner.dhcp.client import Program
from provisioner.dhcp.message import Kind, Option
from provisioner.dhcp.reply import boot_reply, next_step
from provisioner.model.boot import Unknown


def proxy_answer(case: Case, kind: Kind) -> Answer:
    """The answer in a network whose addresses are somebody else's."""
    if case.client.program is Program.SYSTEM:
        return ignored(case, f"not a network boot, and the network {case.network_name} has dhcp: proxy")
    if case.context.boot_service:
        return _served(case, kind)
    if kind is not Kind.DISCOVER:
        return ignored(
            case, f"{kind.name} is for the DHCP server of the network {case.network_name} (dhcp: proxy)"
        )
    return _told(case, Kind.OFFER)


def _served(case: Case, kind: Kind) -> Answer:
    server = case.message.address(Option.SERVER)
    if kind not in (Kind.REQUEST, Kind.INFORM) or server not in (None, case.context.server):
        return ignored(case, f"{kind.name} is nothing that a boot service answers")
    # Answering any other address would let a forged one aim our packets at strangers.
    if case.message.ciaddr not in case.network.cidr:
        return ignored(case, f"{kind.name} from {case.message.ciaddr}, which is not on {case.network_name}")
    return _told(case, Kind.ACK)


def _told(case: Case, kind: Kind) -> Answer:
    if isinstance(case.decision, Unknown):
        return ignored(case, f"{case.decision.reason}, and dhcp: proxy answers nodes alone")
    step = next_step(case)
    if not step.file:
        return ignored(case, step.description)
    return Answer(
        kind.name.lower(),
        f"{step.description}, no address (dhcp: proxy); {case.decision.reason}",
        boot_reply(case, kind, step),
        case.client,
        case.decision.node.name,
        lasting=True,
    )
