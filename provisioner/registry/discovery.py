"""Mistakes in `discovery:` of provisioner.yaml."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator

from provisioner.config.decode import locate
from provisioner.config.marked import Value
from provisioner.errors import Problem
from provisioner.model.nodeset import expand
from provisioner.model.written import Site
from provisioner.registry.images import ImageUse
from provisioner.registry.sources import SITE_FILE

_SECTION = "discovery"


def check_discovery(site: Site, root: Value, groups: Collection[str]) -> list[Problem]:
    """A problem for names that are no node set, and for groups that do not exist."""
    written, problems = site.discovery, []
    if written.names is not None:
        try:
            expand(written.names)
        except ValueError as error:
            problems.append(_at(root, ("names",), str(error), "names: n[001-100]"))
    for index, name in enumerate(written.groups):
        if name not in groups:
            near = difflib.get_close_matches(name, sorted(groups), n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"prov group add {name}"
            problems.append(_at(root, ("groups", index), f"unknown group {name!r}", hint))
    return problems


def discovery_image(site: Site, root: Value) -> Iterator[ImageUse]:
    """Where the image is named that looks at unknown machines, if one is."""
    if site.discovery.image is not None:
        place = locate(root, (_SECTION, "image"), root.span)
        yield ImageUse(site.discovery.image, SITE_FILE, place.line, place.column)


def _at(root: Value, path: tuple[str | int, ...], message: str, hint: str) -> Problem:
    place = locate(root, (_SECTION, *path), root.span)
    return Problem(SITE_FILE, place.line, place.column, message, hint)
