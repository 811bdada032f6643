"""Checks of running nodes: failed units, silent agents, overlays that are not applied, clocks, old generations."""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.operations.doctor.evidence import Evidence
from provisioner.operations.doctor.finding import NODE, Finding, Severity, Witness, of_node

_FAULT, _WARNING, _NOTE = Severity.FAULT, Severity.WARNING, Severity.NOTE
# The agent reports every five minutes, and up to one more: three reports are missing.
_SILENT = 1100.0
_OFF = 30.0
_LITTLE_MEMORY = 0.05
_RUNNING = frozenset({"ready", "degraded"})


def units(evidence: Evidence) -> Iterator[Finding]:
    """Nodes that run with failed units."""
    for node, boot in evidence.newest.items():
        if boot.state == "degraded":
            witness = Witness(f"boot {boot.id}: {boot.reason}", boot.changed)
            fixes = (f"ssh {NODE} systemctl --failed", f"prov boot show {NODE}")
            yield of_node(
                "units-failed", _FAULT, node, f"runs, and not well: {boot.reason}", *fixes, evidence=[witness]
            )


def silent_agents(evidence: Evidence) -> Iterator[Finding]:
    """Nodes that ran, and have not reported for a while."""
    for node, boot in evidence.newest.items():
        report = evidence.reports.get(node)
        if boot.state not in _RUNNING or report is None or evidence.age(report.time) < _SILENT:
            continue
        message = "ran, and its agent has fallen silent: the node is off, hangs, or lost its network"
        witness = Witness("its last report", report.time)
        fixes = (f"ping -c 3 {NODE}", f"ssh {NODE} systemctl status provisioner-agent.timer")
        yield of_node("agent-silent", _FAULT, node, message, *fixes, evidence=[witness])


def overlays(evidence: Evidence) -> Iterator[Finding]:
    """Nodes on which runtime overlays could not be applied."""
    for node, boot in evidence.newest.items():
        report = evidence.reports.get(node)
        fault = report.facts.get("runtime_failed") if report and report.boot == boot.id else None
        if report and fault:
            message = f"runtime overlays are not applied: {fault}"
            yield of_node(
                "runtime-failed",
                _FAULT,
                node,
                message,
                f"prov overlay render {NODE} --output DIR",
                evidence=[Witness("its last report", report.time)],
            )


def clocks(evidence: Evidence) -> Iterator[Finding]:
    """Nodes whose clock is far from ours."""
    for node, report in evidence.reports.items():
        told = report.facts.get("clock", "")
        if node not in evidence.nodes or not told.isdecimal():
            continue
        off = int(told) - report.time
        if abs(off) > _OFF:
            message = f"its clock is {'ahead' if off > 0 else 'behind'} by {_about(abs(off))}"
            witness = Witness(f"it said {told}", report.time)
            yield of_node("clock-far", _FAULT, node, message, f"ssh {NODE} chronyc makestep", evidence=[witness])


def memory(evidence: Evidence) -> Iterator[Finding]:
    """Nodes that have little memory left."""
    for node, report in evidence.reports.items():
        total, free = (report.facts.get(f"memory_{each}", "") for each in ("total", "available"))
        if node not in evidence.nodes or not (total.isdecimal() and free.isdecimal()) or not int(total):
            continue
        if int(free) < int(total) * _LITTLE_MEMORY:
            message = "has less than a twentieth of its memory left; the root image lies in it too"
            witness = Witness(f"{free} of {total} KiB", report.time)
            yield of_node("memory-low", _WARNING, node, message, f"ssh {NODE} free -m", evidence=[witness])


def drift(evidence: Evidence) -> Iterator[Finding]:
    """Nodes that run another generation than they would boot now."""
    for node, boot in evidence.newest.items():
        image = evidence.nodes[node].image
        generation = evidence.catalogue.find(image) if image else None
        if boot.state in _RUNNING and generation and generation.name != boot.generation:
            message = f"runs {boot.generation}, and its next boot brings {generation.name}"
            yield of_node("generation-old", _NOTE, node, message, "prov plan")


def never_booted(evidence: Evidence) -> Iterator[Finding]:
    """Nodes that nobody can be: no interface that boots has a MAC."""
    for node in evidence.nodes.values():
        interface = node.boot_interface
        if interface is None or interface.mac is None:
            message = "has no MAC, so no machine is this node yet"
            fixes = ("prov discover", "prov node set NODE --mac MAC")
            yield of_node("mac-absent", _NOTE, node.name, message, *fixes)


def _about(seconds: float) -> str:
    return f"{seconds / 3600:.0f} hours" if seconds > 2 * 3600 else f"{seconds:.0f} s"


CHECKS = (units, silent_agents, overlays, clocks, memory, drift, never_booted)
