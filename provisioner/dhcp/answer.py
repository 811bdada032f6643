"""What is done about one message, and why: the outcome of a policy as a value."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from provisioner.dhcp.case import Case
from provisioner.dhcp.client import Client
from provisioner.dhcp.lease import Lease
from provisioner.dhcp.message import Message
from provisioner.model.address import MacAddress
from provisioner.model.event import Level


@dataclass(frozen=True, slots=True)
class Answer:
    """What to do about one message: `name` in an event's terms, and the reason in a sentence.

    The names are offer, ack, nak, decline, release and ignored. `keep` is a lease to remember and `drop` a
    machine whose lease to forget; the policy itself changes nothing. `lasting` says that the answer follows from
    the message, the site and its images alone: neither from leases nor from the time.
    """

    name: str
    reason: str
    reply: Message | None = None
    client: Client | None = None
    node: str | None = None
    address: IPv4Address | None = None
    level: Level = Level.INFO
    keep: Lease | None = None
    drop: MacAddress | None = None
    lasting: bool = False


def ignored(case: Case, reason: str, *, keep: Lease | None = None, drop: MacAddress | None = None) -> Answer:
    """No reply, and why."""
    return Answer(
        "ignored", reason, None, case.client, case.node.name if case.node else None, keep=keep, drop=drop
    )
