"""Checks of boots under way: from the script to the hand-over, and what stage 1 said when it gave up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from provisioner.model.boot import BootRecord
from provisioner.model.event import Event
from provisioner.operations.doctor.causes import CAUSES
from provisioner.operations.doctor.evidence import Evidence
from provisioner.operations.doctor.finding import NODE, Finding, Severity, Witness, of_node

_FAULT = Severity.FAULT
_KERNEL_SECONDS = 120.0
_START_SECONDS = 180.0
_STAGE_SECONDS = 600.0
_LOADED = frozenset({"stage1.sent", "uki.sent"})
_BROKEN = frozenset({"kernel.broken", "stage1.broken", "uki.broken"})
_LATELY = 3600.0
_OFTEN = 3


def failures(evidence: Evidence) -> Iterator[Finding]:
    """Boots that failed, by what stage 1 said."""
    for node, boot in evidence.newest.items():
        if boot.state != "failed":
            continue
        cause = next((each for each in CAUSES if each.words.search(boot.reason)), None)
        meaning = f"{cause.meaning}: {boot.reason}" if cause else f"stage 1 gave up: {boot.reason or 'no reason'}"
        fix = cause.fix if cause else (f"prov boot show {NODE}",)
        witness = Witness(f"boot {boot.id}: {boot.reason}", boot.changed)
        yield of_node(cause.check if cause else "boot-failed", _FAULT, node, meaning, *fix, evidence=[witness])


def stalls(evidence: Evidence) -> Iterator[Finding]:
    """Boots that stand still between two steps."""
    for node, boot in evidence.newest.items():
        idle = evidence.age(_moved(evidence, boot))
        if boot.state == "script":
            yield from _before_stage1(evidence, node, boot, idle)
        elif boot.state == "stage1" and idle > _STAGE_SECONDS:
            message = "stage 1 fell silent: look at its console"
            yield _stalled(evidence, boot, "stage1-silent", node, message)
        elif boot.state == "system" and idle > _STAGE_SECONDS:
            message = "left stage 1 and never reported: the system did not come up, or its agent does not run"
            yield _stalled(evidence, boot, "system-silent", node, message)


def loops(evidence: Evidence) -> Iterator[Finding]:
    """Nodes that boot again and again."""
    lately = [each for each in evidence.boots if evidence.age(each.opened) < _LATELY]
    counts = Counter(each.node for each in lately)
    for node, count in counts.items():
        ready = [each for each in lately if each.node == node and each.state == "ready"]
        if count >= _OFTEN and not ready and node in evidence.nodes:
            reasons = Counter(each.reason or each.state for each in lately if each.node == node)
            witness = Witness(", ".join(f"{number} x {reason}" for reason, number in reasons.most_common(3)))
            message = f"booted {count} times within an hour and was never ready"
            yield of_node("boot-loop", _FAULT, node, message, f"prov boot list {NODE}", evidence=[witness])


def _before_stage1(evidence: Evidence, node: str, boot: BootRecord, idle: float) -> Iterator[Finding]:
    names = {each.name for each in evidence.by_boot.get(boot.id, ())}
    if names & _LOADED and idle > _START_SECONDS:
        message = (
            "has kernel and stage 1, and never came back: the kernel does not start, or has no driver for the card"
        )
        yield _stalled(evidence, boot, "kernel-silent", node, message)
    elif not names & _LOADED and names & _BROKEN and idle > _KERNEL_SECONDS:
        message = "breaks off the download of its kernel or stage 1"
        yield _stalled(evidence, boot, "kernel-broken", node, message)
    elif not names & _LOADED and idle > _KERNEL_SECONDS:
        message = "got its script and did not fetch kernel and stage 1: iPXE stopped; its screen says why"
        yield _stalled(evidence, boot, "kernel-not-fetched", node, message)


def _stalled(evidence: Evidence, boot: BootRecord, check: str, node: str, message: str) -> Finding:
    last = _last(evidence, boot)
    witness = Witness.of(last) if last else Witness(f"boot {boot.id}: {boot.state}", boot.changed)
    return of_node(
        check, _FAULT, node, message, f"prov boot show {NODE}", "look at the machine's console", evidence=[witness]
    )


def _last(evidence: Evidence, boot: BootRecord) -> Event | None:
    events = evidence.by_boot.get(boot.id, ())
    return events[-1] if events else None


def _moved(evidence: Evidence, boot: BootRecord) -> float:
    last = _last(evidence, boot)
    return max(boot.changed, last.time) if last else boot.changed


CHECKS = (failures, stalls, loops)
