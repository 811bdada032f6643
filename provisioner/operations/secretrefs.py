"""Fields of nodes that name a secret (`secret:NAME`), and what is wrong with the secrets of a site."""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.config.paths import Paths
from provisioner.errors import Problem
from provisioner.model.nodeset import fold
from provisioner.model.secret import SECRET_PATHS, reference
from provisioner.operations.record import at
from provisioner.registry.published import Published
from provisioner.trust.secrets import FOLDER, SecretFolder

# Cheap for ten thousand nodes that name none; it may find too many.
_NAMING = """
SELECT node.name FROM node JOIN shared ON shared.id = node.shared
WHERE node.own LIKE '%"secret:%' OR shared.json LIKE '%"secret:%'
"""


def named_by_nodes(published: Published) -> dict[tuple[str, str], list[str]]:
    """The nodes whose fields name a secret, by secret and field."""
    found: dict[tuple[str, str], list[str]] = {}
    names = [name for (name,) in published.rows(_NAMING)]
    for record in published.records(names) if names else ():
        for path in sorted(SECRET_PATHS):
            value = at(record, path)
            name = reference(value) if isinstance(value, str) else None
            if name is not None:
                found.setdefault((name, path), []).append(record["name"])
    return found


def secret_problems(paths: Paths, published: Published) -> tuple[Problem, ...]:
    """Secrets that others than root can read, and those that nodes name and that are not there; sorted."""
    folder = SecretFolder.of(paths.site)
    return tuple(sorted((*folder.problems(), *_missing(folder, published))))


def _missing(folder: SecretFolder, published: Published) -> Iterator[Problem]:
    for (name, path), nodes in named_by_nodes(published).items():
        if not folder.has(name):
            message = f"{path} of {fold(nodes)} names this secret, and it is not there"
            yield Problem(f"{FOLDER}/{name}", 0, 0, message, f"prov secret set {name}")
