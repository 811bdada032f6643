"""A finding: what is wrong with whom, what showed it, and the commands that help."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from provisioner.model.event import Event
from provisioner.model.nodeset import fold

_MOST_EVIDENCE = 3
# In a fix: stands for the nodes that a finding is about.
NODE = "{node}"
HEAD = "head"


class Severity(StrEnum):
    """A fault keeps a machine from booting or working, a warning may do so soon, a note is worth knowing."""

    FAULT = "fault"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Witness:
    """What showed it: a sentence, and when it was seen (Unix seconds), None for what is so now."""

    text: str
    time: float | None = None

    @classmethod
    def of(cls, event: Event) -> Witness:
        """An event in words."""
        return cls(f"{event.name}: {event.message}", event.time)


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault. `check` is its short name in docs/doctor.md, `subject` who has it: a node, a machine, the head.

    `nodes` are the nodes that it is about, none for what concerns all. `fix` is what to type, in order; `{node}`
    in it and in the message stands for the nodes.
    """

    check: str
    severity: Severity
    subject: str
    message: str
    fix: tuple[str, ...]
    evidence: tuple[Witness, ...] = ()
    nodes: tuple[str, ...] = ()

    @property
    def seen(self) -> float | None:
        """When it was seen last, in Unix seconds."""
        return max((each.time for each in self.evidence if each.time is not None), default=None)

    def named(self) -> Finding:
        """The finding with the nodes in place of `{node}`."""
        who = fold(self.nodes) if self.nodes else self.subject
        return replace(
            self,
            subject=who,
            message=self.message.replace(NODE, who),
            fix=tuple(each.replace(NODE, who) for each in self.fix),
        )


def of_node(
    check: str, severity: Severity, node: str, message: str, *fix: str, evidence: Iterable[Witness] = ()
) -> Finding:
    """A finding about one node."""
    return Finding(check, severity, node, message, fix, tuple(evidence), (node,))


def of_head(check: str, severity: Severity, message: str, *fix: str, evidence: Iterable[Witness] = ()) -> Finding:
    """A finding about the head node, which concerns all."""
    return Finding(check, severity, HEAD, message, fix, tuple(evidence))


def gathered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings that say the same of several nodes as one, the worst first, in the order of their checks."""
    groups: dict[tuple[str, str, tuple[str, ...], str], list[Finding]] = {}
    for each in findings:
        own = "" if each.nodes else each.subject
        groups.setdefault((each.check, each.message, each.fix, own), []).append(each)
    together = [_together(group).named() for group in groups.values()]
    order = list(Severity)
    return tuple(sorted(together, key=lambda each: order.index(each.severity)))


def _together(group: list[Finding]) -> Finding:
    evidence = sorted((each for finding in group for each in finding.evidence), key=lambda each: -(each.time or 0))
    nodes = tuple(dict.fromkeys(name for finding in group for name in finding.nodes))
    return replace(group[0], evidence=tuple(evidence[:_MOST_EVIDENCE]), nodes=nodes)
