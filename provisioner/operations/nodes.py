"""Add, change, delete, list and show nodes."""

from __future__ import annotations

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, NotFoundError, ProvisionerError
from provisioner.model.catalogue import Catalogue
from provisioner.model.resolved import ResolvedNode
from provisioner.operations.apply import Applied, apply
from provisioner.registry import plan
from provisioner.registry.changes import Changes
from provisioner.registry.edit import examine_site
from provisioner.registry.load import Loaded


def add_nodes(paths: Paths, catalogue: Catalogue, nodeset: str, changes: Changes) -> Applied:
    """Write one entry for new nodes.

    Raises ConflictError when a node exists, ConfigError when the site would have a new mistake.
    """
    _demand_one_for_mac(nodeset, changes)
    return apply(paths, catalogue, lambda texts, site: plan.add_nodes(texts, site, nodeset, changes.settings()))


def set_nodes(paths: Paths, catalogue: Catalogue, nodeset: str, changes: Changes) -> Applied:
    """Change exactly these nodes.

    Raises NotFoundError for nodes that do not exist, ConflictError where other entries stand in the way,
    ConfigError when the site would have a new mistake.
    """
    _demand_one_for_mac(nodeset, changes)
    if not changes.settings():
        raise ProvisionerError(f"nothing to set for {nodeset}", hint="prov node set --help")
    return apply(paths, catalogue, lambda texts, site: plan.set_nodes(texts, site, nodeset, changes.settings()))


def delete_nodes(paths: Paths, catalogue: Catalogue, nodeset: str) -> Applied:
    """Remove the entries of these nodes.

    Raises NotFoundError for nodes that do not exist, ConflictError when an entry holds other nodes too.
    """
    return apply(paths, catalogue, lambda texts, site: plan.delete_nodes(texts, site, nodeset))


def usable_site(paths: Paths, catalogue: Catalogue) -> tuple[Loaded, int]:
    """The site as far as it can be read, and how many problems it has.

    Raises ConfigError when provisioner.yaml itself cannot be used.
    """
    examined = examine_site(paths, catalogue)
    if examined.loaded is None:
        raise ConfigError(examined.problems)
    return examined.loaded, len(examined.problems)


def find_node(site: Loaded, name: str) -> ResolvedNode:
    """The node with a name; NotFoundError when there is none."""
    found = next((node for node in site.nodes if node.name == name), None)
    if found is None:
        raise NotFoundError(f"there is no node {name}", hint="prov node list")
    return found


def _demand_one_for_mac(nodeset: str, changes: Changes) -> None:
    if changes.mac and len(plan.names_of(nodeset)) > 1:
        message = f"a MAC belongs to one node, and {nodeset} is {len(plan.names_of(nodeset))}"
        raise ProvisionerError(message, hint="prov node set NODE --mac MAC")
