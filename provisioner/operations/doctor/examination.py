"""The whole examination: evidence, all checks, and what concerns whom."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain

from provisioner.config.paths import Paths
from provisioner.operations.doctor import bootchecks, headchecks, runningchecks, sitechecks, wirechecks
from provisioner.operations.doctor.evidence import Evidence, collect_evidence
from provisioner.operations.doctor.finding import HEAD, Finding, Severity, gathered
from provisioner.operations.select import select
from provisioner.registry.compiler import current

CHECKS = (
    *headchecks.CHECKS,
    *sitechecks.CHECKS,
    *wirechecks.CHECKS,
    *bootchecks.CHECKS,
    *runningchecks.CHECKS,
)


@dataclass(frozen=True, slots=True)
class Patient:
    """A node that was asked for: its last boot in words, and when that changed (Unix seconds)."""

    node: str
    state: str
    changed: float | None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found, the worst first; `patients` are the nodes that were asked for."""

    findings: tuple[Finding, ...]
    patients: tuple[Patient, ...] = ()

    @property
    def is_healthy(self) -> bool:
        """Whether there is no fault among the findings."""
        return all(each.severity is not Severity.FAULT for each in self.findings)


def examine(paths: Paths, nodeset: str | None = None, where: Sequence[str] = ()) -> Diagnosis:
    """Look at the head node and all that machines did lately; with a node set, at what concerns these nodes.

    Works with the daemon down. Raises what `select` raises for nodes that do not exist.
    """
    names = _chosen(paths, nodeset, where)
    evidence = collect_evidence(paths)
    findings = diagnose(evidence, names)
    return Diagnosis(findings, tuple(_patient(evidence, name) for name in names or ()))


def diagnose(evidence: Evidence, names: Collection[str] | None = None) -> tuple[Finding, ...]:
    """What is wrong, by evidence alone; about some nodes, and what faults of the head keep these from booting."""
    found = chain.from_iterable(check(evidence) for check in CHECKS)
    if names is None:
        return gathered(found)
    wanted = frozenset(names)
    return gathered(each for each in found if _concerns(each, wanted))


def _concerns(finding: Finding, names: frozenset[str]) -> bool:
    if finding.nodes:
        return not names.isdisjoint(finding.nodes)
    return finding.severity is Severity.FAULT and finding.subject == HEAD


def _chosen(paths: Paths, nodeset: str | None, where: Sequence[str]) -> tuple[str, ...] | None:
    if nodeset is None and not where:
        return None
    with current(paths) as published:
        return select(published, nodeset, where)


def _patient(evidence: Evidence, name: str) -> Patient:
    boot = evidence.newest.get(name)
    if boot is None:
        return Patient(name, "never booted", None)
    reason = f": {boot.reason}" if boot.reason else ""
    return Patient(name, f"{boot.state}{reason}", boot.changed)
