"""When an order for one boot is used up, and when a fall-back is over. Pure.

An order of a rescue or a generation is used up by the first report of stage 1 of a boot that followed it. Until
then a machine that asks again, because a download broke off or somebody pressed reset, gets it again; three boots
at most, so that one that never comes to stage 1 does not hold the node for ever. A disk or a memory test never
reports: such an order is used up by its script, and holds for the minute in which asking again is the same boot.
"""

from __future__ import annotations

from dataclasses import replace

from provisioner.boot.ledger import RETRY_WINDOW
from provisioner.model.bootcontrol import DISK, MEMTEST, Control, Once

MOST_BOOTS = 3


def pending(once: Once, now: float) -> bool:
    """Whether the next script follows an order."""
    if once.taken is None:
        return True
    again = now - once.taken < RETRY_WINDOW
    return again if once.what in {DISK, MEMTEST} else again or len(once.boots) < MOST_BOOTS


def taken(once: Once, boot: str | None, now: float) -> Once:
    """The order after a script that follows it went out; None where no boot was opened for it."""
    boots = once.boots if boot is None or boot in once.boots else (*once.boots, boot)
    # The minute of an order without a boot begins once: a machine that asks for ever would never be free of it.
    first = once.taken if boot is None and once.taken is not None else now
    return replace(once, boots=boots, taken=first)


def reported(control: Control, boot: str) -> Control:
    """After a report of stage 1: an order is used up by a boot that followed it."""
    used = control.once is not None and boot in control.once.boots
    return replace(control, once=None) if used else control


def settled(control: Control, assigned: str | None, now: float) -> Control:
    """Without what does not hold any more: an order that is used up, a fall-back from what is not assigned now.

    `assigned` is the generation (NAME@NUMBER) that the node would boot.
    """
    if control.once and not pending(control.once, now):
        control = replace(control, once=None)
    if control.fallback and control.fallback.failed != assigned:
        control = replace(control, fallback=None, since=now)
    return control
