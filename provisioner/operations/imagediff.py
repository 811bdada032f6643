"""What becomes of nodes that go from one image to another: images, hardware, overlays, memory and time."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError
from provisioner.events.history import History, Report
from provisioner.image import drivers, inventory, store
from provisioner.image.contrast import Finding, Weight, contrast, cpu_level
from provisioner.model.image import Generation
from provisioner.model.imagefiles import ImageFiles
from provisioner.model.inventory import Inventory
from provisioner.model.nodeset import fold
from provisioner.model.resolved import ResolvedNode
from provisioner.model.switch import Switch, members
from provisioner.operations.imagecards import lost_cards
from provisioner.operations.overlaylint import lint_nodes
from provisioner.operations.treecontrast import Contents, contents, file_changes
from provisioner.overlay.fits import Level, Misfit
from provisioner.render.environment import RenderError

_SPARE = 512 << 20
"""Bytes that a running system needs besides its packed root, at the very least."""

# Arguments of the kernel line that mean something else from some kernel on (its admin-guide/kernel-parameters).
_ARGUMENTS = (
    (re.compile(r"elevator="), (5, 0), "is ignored: schedulers are chosen for each device by udev rules"),
    (re.compile(r"systemd\.unified_cgroup_hierarchy=0|systemd\.legacy_systemd_cgroup"), (6, 12), "is gone"),
    (re.compile(r"crashkernel=auto"), (5, 14), "is not known any more: give a size"),
    (re.compile(r"biosdevname="), (5, 14), "does nothing: biosdevname is not part of the distribution any more"),
    (re.compile(r"nopti|spectre_v2=off|nospectre"), (5, 2), "is gathered in mitigations=off"),
    (re.compile(r"vga="), (5, 14), "does nothing where the console is a DRM device"),
)


@dataclass(frozen=True, slots=True)
class ImageDifference:
    """Two generations and what differs, the worst of every section first. `window` estimates time, in words."""

    old: str
    new: str
    findings: tuple[Finding, ...]
    window: str = ""

    def record(self) -> dict[str, Any]:
        """Plain data for programs."""
        findings = [each.record() for each in self.findings]
        return {"from": self.old, "to": self.new, "findings": findings, "window": self.window}


@dataclass(frozen=True)
class _Side:
    """A generation and what is known of it."""

    generation: Generation
    facts: Inventory
    files: ImageFiles
    built_in: frozenset[str]

    @property
    def modules(self) -> dict[str, str]:
        return drivers.modules_of(self.generation, self.files)

    def contents(self, paths: Paths) -> Contents:
        """Its files and what is in them."""
        return contents(paths, self.generation, self.files, self.facts.packages)

    def has(self, driver: str) -> bool:
        """Whether its kernel has a driver."""
        return driver in self.built_in or driver in self.modules


def image_difference(paths: Paths, old: str, new: str) -> ImageDifference:
    """Two images, by any name. NotFoundError for one that is not there, or was never surveyed."""
    before, after = _side(paths, old), _side(paths, new)
    files = file_changes(before.contents(paths), after.contents(paths))
    findings = (*contrast(before.facts, after.facts), *_lost_drivers(before, after), *files)
    return ImageDifference(before.generation.name, after.generation.name, _ordered(findings))


def switch_report(paths: Paths, switch: Switch, nodes: Mapping[str, ResolvedNode]) -> tuple[ImageDifference, ...]:
    """What a switch means for its nodes, for each generation that they have now."""
    return tuple(_reported(paths, switch, image, nodes) for image in switch.before)


def _reported(paths: Paths, switch: Switch, image: str, nodes: Mapping[str, ResolvedNode]) -> ImageDifference:
    before, after = _side(paths, image), _side(paths, switch.to)
    names = members(switch.before[image])
    reported = History(paths.events).reports()
    reports = {name: reported[name] for name in names if name in reported}
    there = [nodes[name] for name in names if name in nodes]
    findings = (
        *contrast(before.facts, after.facts),
        *_missing_drivers(before, after, reports),
        *lost_cards(paths, before.generation, after.generation, there),
        *_processors(after, reports),
        *_memory(after, reports),
        *_arguments(after, there),
        *_overlays(paths, switch, image, names),
    )
    return ImageDifference(image, switch.to, _ordered(findings), _window(paths, switch, names))


def _side(paths: Paths, reference: str) -> _Side:
    generation = store.find(paths, reference)
    facts, files = inventory.inventory(paths, generation), inventory.files(paths, generation)
    if facts is None or files is None:
        hint = "build or import the image again: generations of before this version have no inventory"
        raise NotFoundError(f"{generation.name} has no inventory, so nothing can be compared", hint=hint)
    return _Side(generation, facts, files, drivers.built_in(paths, generation))


def _ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sections stay in their order; in each the worst comes first."""
    listed = list(findings)
    sections = list(dict.fromkeys(each.section for each in listed))
    weights = list(Weight)
    return tuple(sorted(listed, key=lambda each: (sections.index(each.section), weights.index(each.weight))))


def _lost_drivers(before: _Side, after: _Side) -> Iterator[Finding]:
    """Drivers of cards and disks that the new kernel lacks, whatever hardware there is."""
    lost = (name for name in drivers.for_hardware(before.modules.items()) if not after.has(name))
    for name in sorted(lost):
        message = f"kernel {after.generation.kernel_release} does not have it"
        yield Finding("drivers", Weight.WARNING, name, message)


def _missing_drivers(before: _Side, after: _Side, reports: Mapping[str, Report]) -> Iterator[Finding]:
    """Drivers that nodes were seen to use and will not find, and others that go."""
    users = _users(reports, "drivers")
    for driver, names in sorted(users.items()):
        if not after.has(driver) and before.has(driver):
            message = f"{fold(names)} use it, and kernel {after.generation.kernel_release} does not have it"
            remedy = "build the new image with a kernel, or a package, that has this driver"
            yield Finding("drivers", Weight.PROBLEM, driver, message, remedy)
    for finding in _lost_drivers(before, after):
        if not users:
            yield finding
        elif finding.subject not in users:
            yield replace(finding, weight=Weight.NOTE, message=f"{finding.message}; no node was seen to use it")
    if not users:
        yield Finding("drivers", Weight.NOTE, "hardware", "no node has reported its hardware yet")


def _processors(after: _Side, reports: Mapping[str, Report]) -> Iterator[Finding]:
    needed = cpu_level(after.facts)
    weak = [name for name, report in reports.items() if _number(report, "cpu_level", 99) < needed]
    if weak:
        message = f"{fold(weak)} cannot run programs for x86-64-v{needed}"
        remedy = "leave them out of the switch, or choose an older release"
        yield Finding("processor", Weight.PROBLEM, f"x86-64-v{needed}", message, remedy)
    elif needed > 1:
        known = "every node that reported has it" if reports else "no node has reported its processor yet"
        yield Finding("processor", Weight.NOTE, f"x86-64-v{needed}", f"is needed; {known}")


def _memory(after: _Side, reports: Mapping[str, Report]) -> Iterator[Finding]:
    """The packed root lies in memory, and the system runs beside it."""
    needed = after.generation.boot_set.root.size + after.generation.boot_set.stage1.size + _SPARE
    small = [name for name, report in reports.items() if _number(report, "memory_total", 1 << 40) << 10 < needed]
    if small:
        message = f"less than the {needed >> 20} MiB that this image takes: {fold(small)}"
        yield Finding("memory", Weight.PROBLEM, "memory", message, "leave them out, or make the image smaller")


def _arguments(after: _Side, nodes: Iterable[ResolvedNode]) -> Iterator[Finding]:
    version = tuple(int(part) for part in re.findall(r"\d+", after.generation.kernel_release)[:2])
    users: dict[str, list[str]] = {}
    for node in nodes:
        for argument in node.kernel_args:
            users.setdefault(argument, []).append(node.name)
    for argument, names in sorted(users.items()):
        for pattern, since, meaning in _ARGUMENTS:
            if pattern.match(argument) and version >= since:
                yield Finding("kernel line", Weight.WARNING, argument, f"{meaning} ({fold(names)})")


def _overlays(paths: Paths, switch: Switch, image: str, names: Sequence[str]) -> Iterator[Finding]:
    """What of the nodes' overlays does not suit the new image, and suited the old one."""
    before = {(each.overlay, each.path, each.message) for each in _misfits(paths, names, image)}
    for each in _misfits(paths, names, switch.to):
        if (each.overlay, each.path, each.message) not in before:
            weight = Weight(each.level.value)
            yield Finding("overlays", weight, f"{each.overlay}: {each.path}".strip(": "), each.message)


def _misfits(paths: Paths, names: Sequence[str], image: str) -> tuple[Misfit, ...]:
    """What lint finds; overlays that cannot be rendered over an image are the worst that can be found."""
    try:
        return lint_nodes(paths, store.catalogue(paths), names, image)
    except RenderError as error:
        return (Misfit("", "", Level.PROBLEM, error.message),)


def _window(paths: Paths, switch: Switch, names: Sequence[str]) -> str:
    """How long it will take, from how long these nodes took to boot last."""
    boots = History(paths.events).newest_of(names).values()
    seconds = [
        boot.changed - boot.opened for boot in boots if boot.state == "ready" and boot.changed > boot.opened
    ]
    rounds = 1 + math.ceil(max(0, len(switch.names) - switch.pace.canary) / switch.pace.batch)
    counted = f"{rounds} round{'s' if rounds > 1 else ''}"
    if not seconds:
        return f"{counted}; how long one takes is not known: none of these nodes was seen to boot"
    return f"{counted} of about {median(seconds):.0f} s, so {rounds * median(seconds) / 60:.0f} min"


def _users(reports: Mapping[str, Report], fact: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, report in reports.items():
        for word in report.facts.get(fact, "").split():
            found.setdefault(drivers.normal(word), []).append(name)
    return found


def _number(report: Report, fact: str, default: int) -> int:
    text = report.facts.get(fact, "")
    return int(text) if text.isdecimal() else default
