"""Add, change, list and show groups."""

from __future__ import annotations

from provisioner.config.decode import Entry
from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError, ProvisionerError
from provisioner.model.catalogue import Catalogue
from provisioner.model.written import Group
from provisioner.operations.apply import Applied, apply
from provisioner.registry import plan
from provisioner.registry.changes import Changes
from provisioner.registry.load import Loaded


def add_group(paths: Paths, catalogue: Catalogue, name: str, changes: Changes) -> Applied:
    """Write a new group.

    Raises ConflictError when it exists, ConfigError when the site would have a new mistake.
    """
    return apply(paths, catalogue, lambda texts, site: plan.add_group(texts, site, name, changes.settings()))


def set_group(paths: Paths, catalogue: Catalogue, name: str, changes: Changes) -> Applied:
    """Change a group.

    Raises NotFoundError when there is none, ConfigError when the site would have a new mistake.
    """
    if not changes.settings():
        raise ProvisionerError(f"nothing to set for the group {name}", hint="prov group set --help")
    return apply(paths, catalogue, lambda texts, site: plan.set_group(texts, site, name, changes.settings()))


def find_group(site: Loaded, name: str) -> Entry[Group]:
    """The group with a name as it is written; NotFoundError when there is none."""
    found = site.groups.get(name)
    if found is None:
        raise NotFoundError(f"there is no group {name}", hint="prov group list")
    return found


def members(site: Loaded) -> dict[str, list[str]]:
    """The names of the nodes in each group, inherited groups included."""
    nodes: dict[str, list[str]] = {name: [] for name in site.groups}
    for node in site.nodes:
        for group in node.groups:
            nodes[group].append(node.name)
    return nodes
