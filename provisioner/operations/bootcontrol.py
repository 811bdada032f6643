"""Orders for the next boot of nodes: given, taken back, shown. The daemon reads them at the next script."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from provisioner.boot.controlfolder import ControlFolder
from provisioner.boot.override import pending
from provisioner.boot.tools import MEMORY_TESTS, find_tools
from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError, ProvisionerError, UnavailableError
from provisioner.host.who import who
from provisioner.image.store import catalogue
from provisioner.model.bootcontrol import MEMTEST, NOTHING, WORDS, Control, Once
from provisioner.operations.boots import served
from provisioner.operations.select import select

_Change = Callable[[Control], Control]


def order(paths: Paths, nodeset: str, what: str) -> tuple[str, ...]:
    """Have nodes boot something once: `rescue`, `memtest`, `disk`, or a generation of an image; their names.

    An image without a generation means the one that it means now. Raises what `select` raises, NotFoundError for
    an image that is not there, ProvisionerError for one that cannot boot and UnavailableError for a memory test
    that the head node has not.
    """
    meant = _meant(paths, what)
    once = Once(meant, time.time(), who())
    return _change(paths, nodeset, lambda control: replace(control, once=once))


def withdraw(paths: Paths, nodeset: str) -> tuple[str, ...]:
    """Take the orders of nodes back; the names of those that had one. Raises what `select` raises."""
    had = {name for name, control in orders(paths).items() if control.once}
    return tuple(each for each in _change(paths, nodeset, lambda each: replace(each, once=None)) if each in had)


def retry(paths: Paths, nodeset: str) -> tuple[str, ...]:
    """Have nodes boot what is written again, whatever failed before; their names. Raises what `select` raises."""
    now = time.time()
    return _change(paths, nodeset, lambda control: replace(control, fallback=None, since=now))


def orders(paths: Paths) -> dict[str, Control]:
    """What holds for the next boot of each node that anything holds for. IntegrityError for a damaged file."""
    now = time.time()
    found = ControlFolder(paths.state).all()
    return {name: _live(control, now) for name, control in found.items() if _live(control, now) != NOTHING}


def words(control: Control) -> str:
    """What holds for the next boot, in words; empty where nothing does."""
    once = str(control.once) if control.once else ""
    fallback = f"last good {control.fallback}" if control.fallback else ""
    return "; ".join(filter(None, (once, fallback)))


def _live(control: Control, now: float) -> Control:
    once = control.once if control.once and pending(control.once, now) else None
    return Control(once, control.fallback)


def _meant(paths: Paths, what: str) -> str:
    if what == MEMTEST and len(find_tools()) < len(MEMORY_TESTS):
        raise UnavailableError("this head node has no memory test to give", hint="apt-get install memtest86+")
    if what in WORDS:
        return what
    generation = catalogue(paths).find(what)
    if generation is None:
        hint = f"there is {', '.join(WORDS)}, or a generation of prov image list"
        raise NotFoundError(f"there is no image {what}", hint=hint)
    if not generation.boots:
        message = f"{generation.name} cannot boot: {generation.why_not}"
        raise ProvisionerError(message, hint=generation.remedy)
    return generation.name


def _change(paths: Paths, nodeset: str, change: _Change) -> tuple[str, ...]:
    with served(paths) as published:
        names = select(published, nodeset)
    folder = ControlFolder(paths.state)
    for name in names:
        folder.change(name, change)
    return names
