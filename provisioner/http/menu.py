"""The menu of a node: what whoever sits at the machine may choose, and what a choice means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from provisioner.boot.lastgood import Outcome, outcome
from provisioner.model.boot import BootRecord, Menu
from provisioner.model.bootcontrol import DISK, MEMTEST, RESCUE, WORDS, Control, Once
from provisioner.model.resolved import ResolvedNode

CHOICE = "choose"
"""The name of the parameter that a choice comes back with."""

BOOT, LAST_GOOD = "boot", "last-good"


def menu_of(node: ResolvedNode, reason: str, good: str | None, *, has_test: bool) -> Menu:
    """The entries: the boot that comes without a choice, and what there is besides."""
    entries = [
        (BOOT, reason),
        *([(LAST_GOOD, f"last good: {good}")] if good else []),
        (RESCUE, "a rescue shell"),
        (DISK, "the machine's own disk"),
        *([(MEMTEST, "a test of its memory")] if has_test else []),
    ]
    return Menu(node, tuple(entries), f"{node.name} gets its menu; {reason}")


def chosen(control: Control, word: str, good: str | None, *, now: float) -> Control:
    """What a choice makes of what is ordered. Any word that is no choice is the boot without one."""
    what = good if word == LAST_GOOD else word if word in WORDS else None
    return replace(control, once=Once(what, now, "whoever sits at the machine")) if what else control


def good_generation(boots: Sequence[BootRecord], *, now: float) -> str | None:
    """The newest generation that was ready, of a node's boots, newest first."""
    return next((each.generation for each in boots if outcome(each, now) is Outcome.READY), None)
