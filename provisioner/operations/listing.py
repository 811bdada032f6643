"""What is told of nodes: rows of many, everything about one. Rows are read without the models: people wait."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, ProvisionerError
from provisioner.operations.record import ROOTS, at, nested, shown
from provisioner.registry.published import Published

FIELDS = ("name", "groups", "image", "interface", "mac", "ip", "ip6", "tags")


def rows(published: Published, names: Iterable[str] | None, fields: Sequence[str]) -> list[dict[str, Any]]:
    """The nodes with these names, in their order, or all; of each the values at some dotted paths.

    Raises ProvisionerError for a field that no node can have, ConfigError when provisioner.yaml cannot be used.
    """
    if not published.usable:
        raise ConfigError(published.problems())
    for field in fields:
        _demand_field(field)
    found = {record["name"]: shown(record) for record in published.records(names)}
    chosen = found if names is None else [name for name in names if name in found]
    secret = any(field.partition(".")[0] == "bmc" for field in fields)
    records = (_redacted(found[name]) if secret else found[name] for name in chosen)
    return [{"name": record["name"], **{field: at(record, field) for field in fields}} for record in records]


def groups(published: Published) -> list[dict[str, Any]]:
    """All groups, and how many nodes are in each, inherited ones included."""
    return [
        {
            "name": row.name,
            "groups": list(row.groups),
            "image": row.image,
            "count": row.nodes,
            "place": f"{row.file}:{row.line}",
        }
        for row in published.groups()
    ]


def details(paths: Paths, name: str, *, secrets: bool = False) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Every value of a node in the shape of an entry, and for dotted paths the places that they come from.

    The strongest place is first. Raises NotFoundError when there is no such node, and ConfigError when
    provisioner.yaml cannot be used.
    """
    # What parses files takes long to import, and lists do without.
    from provisioner.registry.view import explain  # noqa: PLC0415 - see above

    node = explain(paths, name)
    record = nested(node.model_dump(mode="json", exclude={"provenance"}))
    places = {path: [str(source) for source in reversed(each)] for path, each in node.provenance.items()}
    return record if secrets else _redacted(record), places


def resolved(published: Published, names: Iterable[str] | None) -> list[dict[str, Any]]:
    """Whole nodes in the shape of an entry, without secrets."""
    return [_redacted(nested(record)) for record in published.records(names)]


def _redacted(record: dict[str, Any]) -> dict[str, Any]:
    from provisioner.model.secret import redacted  # noqa: PLC0415 - imports the models

    return redacted(record)


def _demand_field(field: str) -> None:
    root = field.partition(".")[0]
    if root not in ROOTS:
        near = difflib.get_close_matches(root, sorted(ROOTS), n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(ROOTS))}"
        raise ProvisionerError(f"a node has no field {field!r}", hint=hint)
