"""The files of a site, as bytes, to everything that they mean, or to every mistake in them at once.

This looks at everything anew, and at images too. What commands and the daemon use is `compiler`, which works out
only what an edit touched; its results are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provisioner.config.decode import Entry
from provisioner.errors import ConfigError, Problem
from provisioner.model.catalogue import Catalogue
from provisioner.model.resolved import ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import Group, NodeEntry, Site
from provisioner.registry.check import Known, check_references, check_site, check_unique
from provisioner.registry.claims import claims_of
from provisioner.registry.discovery import check_discovery
from provisioner.registry.images import check_images, image_uses
from provisioner.registry.inherit import cycles
from provisioner.registry.names import check_interface_names, check_node_names
from provisioner.registry.nameservice import check_dns, claimed
from provisioner.registry.resolve import resolve
from provisioner.registry.sources import GROUP_FILES, NODE_FILES, SITE_FILE, Sources

__all__ = ["GROUP_FILES", "NODE_FILES", "SITE_FILE", "Examined", "Loaded", "examine", "load"]


@dataclass(frozen=True)
class Loaded:
    """A site as written and as resolved: the groups by name, the node entries in their order, and the nodes."""

    site: Site
    groups: Mapping[str, Entry[Group]]
    entries: tuple[Entry[NodeEntry], ...]
    nodes: tuple[ResolvedNode, ...]

    def snapshot(self, revision: str) -> Snapshot:
        """The indexed view that services get."""
        return Snapshot.build(revision, self.site, self.nodes)


@dataclass(frozen=True)
class Examined:
    """What could be read and everything that is wrong; `loaded` is None without a usable provisioner.yaml."""

    groups: Mapping[str, Entry[Group]]
    entries: tuple[Entry[NodeEntry], ...]
    problems: tuple[Problem, ...]
    loaded: Loaded | None = None


def load(
    files: Mapping[str, bytes], *, catalogue: Catalogue, overlays: frozenset[str], scripts: frozenset[str]
) -> Loaded:
    """Load a site from its files, by path below the site root.

    `overlays` and `scripts` are the names that exist. Raises ConfigError with every problem of every file.
    """
    examined = examine(files, catalogue=catalogue, overlays=overlays, scripts=scripts)
    if examined.problems or examined.loaded is None:
        raise ConfigError(examined.problems)
    return examined.loaded


def examine(
    files: Mapping[str, bytes], *, catalogue: Catalogue, overlays: frozenset[str], scripts: frozenset[str]
) -> Examined:
    """Load as much of a site as makes sense, and collect what is wrong with it. Never raises."""
    sources = Sources(files)
    site, root, site_problems = sources.site
    groups = sources.groups
    decoded = [sources.nodes(file) for file in sources.node_files]
    entries = tuple(entry for each in decoded for entry in each.entries)
    problems = [*site_problems, *groups.problems, *(problem for each in decoded for problem in each.problems)]
    problems += cycles(groups.entries)
    if site is None or root is None:
        return Examined(groups.entries, entries, tuple(problems))
    known = Known(groups.names, frozenset(site.networks), overlays, scripts)
    resolution = resolve(site, groups.entries, entries)
    everything: tuple[Entry[Any], ...] = (*groups.entries.values(), *entries)
    problems += [*check_site(site, root), *check_references(everything, known)]
    problems += [*check_images(image_uses(everything), catalogue), *resolution.problems]
    claims = [claim for node in resolution.nodes for claim in claims_of(node)]
    problems += [*check_unique(claims), *check_node_names(entries), *check_interface_names(claims)]
    problems += [*check_dns(site, root, claimed(claims)), *check_discovery(site, root, groups.names)]
    loaded = Loaded(site, groups.entries, entries, resolution.nodes)
    return Examined(groups.entries, entries, tuple(problems), loaded)
