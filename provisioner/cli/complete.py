"""What a shell offers behind a half-typed word: names from the newest snapshot, whatever state the site is in.

A shell that asks gets an answer at once or none: nothing is compiled for it, and no mistake is told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import wraps
from pathlib import Path

import click

from provisioner.config.paths import Paths

Completer = Callable[[click.Context, click.Parameter, str], list[str]]

MOST = 500

_OPERATORS = re.compile(r"[,!&^]")
_DEVICE = "eth0"


def _silent(find: Callable[[Paths, str], Iterable[str]]) -> Completer:
    @wraps(find)
    def complete(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
        # Whatever goes wrong, a message in the middle of a line that somebody types helps nobody.
        with suppress(Exception):
            root = context.find_root().params.get("root")
            return list(find(Paths.below(root and Path(root)), incomplete))[:MOST]
        return []

    return complete


@_silent
def nodeset(paths: Paths, incomplete: str) -> Iterable[str]:
    """Node sets: the last name or group in one, behind what is typed before it."""
    start = max((match.end() for match in _OPERATORS.finditer(incomplete)), default=0)
    before, last = incomplete[:start], incomplete[start:]
    if last.startswith("@"):
        return (f"{before}@{name}" for name in _groups(paths) if name.startswith(last[1:]))
    return (before + name for name in _nodes(paths) if name.startswith(last))


@_silent
def node(paths: Paths, incomplete: str) -> Iterable[str]:
    """Names of nodes."""
    return (name for name in _nodes(paths) if name.startswith(incomplete))


@_silent
def groups(paths: Paths, incomplete: str) -> Iterable[str]:
    """Names of groups; `~NAME` takes one away."""
    sign = "~" if incomplete.startswith("~") else ""
    return (sign + name for name in _groups(paths) if name.startswith(incomplete.removeprefix("~")))


@_silent
def images(paths: Paths, incomplete: str) -> Iterable[str]:
    """Names of images."""
    return (name for name in _folders(paths.images / "images") if name.startswith(incomplete))


@_silent
def switches(paths: Paths, incomplete: str) -> Iterable[str]:
    """Names of switches."""
    names = sorted(file.stem for file in paths.switch_files.glob("*.yaml"))
    return (name for name in names if name.startswith(incomplete))


@_silent
def overlays(paths: Paths, incomplete: str) -> Iterable[str]:
    """Names of overlays, the site's and the shipped ones."""
    known = {*_folders(paths.site / "overlays"), *_folders(paths.data / "overlays")}
    return (name for name in sorted(known) if name.startswith(incomplete))


@_silent
def fields(paths: Paths, incomplete: str) -> Iterable[str]:
    """Fields to assign to, `kernel.args=`; behind `image=` and `groups=` the names of these."""
    field, equals, value = incomplete.partition("=")
    if equals:
        known = _folders(paths.images / "images") if field == "image" else _groups(paths)
        named = field.rstrip("+-") in {"image", "groups"}
        return (f"{field}={name}" for name in known if named and name.startswith(value))
    return (f"{path}=" for path in _paths(incomplete))


@_silent
def bare_fields(_: Paths, incomplete: str) -> Iterable[str]:
    """Fields, without a sign behind them."""
    return _paths(incomplete)


@_silent
def columns(_: Paths, incomplete: str) -> Iterable[str]:
    """Fields to show, with commas between them."""
    before, comma, last = incomplete.rpartition(",")
    return (f"{before}{comma}{path}" for path in _shown_paths(last))


@_silent
def filters(_: Paths, incomplete: str) -> Iterable[str]:
    """The field that a filter begins with."""
    sign = "!" if incomplete.startswith("!") else ""
    return (sign + path for path in _shown_paths(incomplete.removeprefix("!")))


@_silent
def changes(paths: Paths, incomplete: str) -> Iterable[str]:
    """Changes of the history, the newest first."""
    from provisioner.registry.history import changes as newest_changes

    found = (str(change.id) for change in newest_changes(paths, limit=MOST))
    return (each for each in found if each.startswith(incomplete))


@_silent
def revisions(paths: Paths, incomplete: str) -> Iterable[str]:
    """Kept revisions, the newest first."""
    from provisioner.registry.revision import short

    kept = (paths.objects.parent / "revisions").glob(f"{incomplete}*.json")
    newest = sorted(kept, key=lambda place: place.stat().st_mtime, reverse=True)
    return (short(place.stem) for place in newest if place.stem.startswith(incomplete))


def _shown_paths(incomplete: str) -> list[str]:
    """What a filter or a list may name: what is written of a node, and what follows from that."""
    from provisioner.operations.record import ROOTS

    return sorted({*_paths(incomplete), *(root for root in ROOTS if root.startswith(incomplete))})


def _paths(incomplete: str) -> list[str]:
    """Dotted paths that begin with what is typed; names that people choose are taken from it."""
    from provisioner.model.written import NodeEntry
    from provisioner.registry.field import paths_of

    typed = incomplete.split(".")
    named = (
        [_named(step, index, typed) for index, step in enumerate(path.split("."))] for path in paths_of(NodeEntry)
    )
    found = (".".join(steps) for steps in named if all(steps))
    return sorted({path for path in found if path.startswith(incomplete)})


def _named(step: str, index: int, typed: list[str]) -> str:
    if not step.isupper():
        return step
    if index < len(typed) - 1:
        return typed[index]
    return _DEVICE if index == 1 and typed[0] == "interfaces" else ""


def _nodes(paths: Paths) -> Iterable[str]:
    from provisioner.operations.select import newest

    published = newest(paths)
    return published.names() if published else ()


def _groups(paths: Paths) -> Iterable[str]:
    from provisioner.operations.select import newest

    published = newest(paths)
    return [group.name for group in published.groups()] if published else ()


def _folders(parent: Path) -> list[str]:
    if not parent.is_dir():
        return []
    return sorted(each.name for each in parent.iterdir() if each.is_dir() and not each.name.startswith("."))
