"""Fields of nodes that nothing but templates reads, and which of them some templates read.

Where a node changes in such fields only, and nothing that it boots with reads them, its boots stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from provisioner.errors import ProvisionerError
from provisioner.model.resolved import ResolvedNode
from provisioner.operations.side import Side
from provisioner.overlay.library import Piece
from provisioner.render.inputs import Inputs

Fields = frozenset[str]

BYSTANDERS: Fields = frozenset({"comment", "groups", "tags", "resources"})
"""No policy of ours decides by these."""

_FOLLOWING = frozenset({"fqdn", "boot_interface", "interface_of"})
_FIELDS = tuple(field for field in ResolvedNode.model_fields if field != "provenance")


def differing(old: ResolvedNode, new: ResolvedNode) -> Fields:
    """The fields in which a node differs, wherever its values come from."""
    if old is new:
        return frozenset()
    return frozenset(field for field in _FIELDS if getattr(old, field) != getattr(new, field))


def read_by_pieces(pieces: Iterable[Piece]) -> Fields:
    """The bystanders that some pieces of overlays read."""
    return _read(piece.template.inputs for piece in pieces if piece.template is not None)


def read_by_scripts(side: Side, names: Iterable[str]) -> Fields:
    """The bystanders that some boot scripts read; all of them where one cannot be read itself."""
    try:
        return _read([side.script_inputs(name) for name in names])
    except (ProvisionerError, KeyError):
        return BYSTANDERS


def _read(inputs: Iterable[Inputs]) -> Fields:
    return frozenset(field for each in inputs for read in each.reads for field in _fields(*read))


def _fields(variable: str, field: str = "", *_: str) -> Iterator[str]:
    # What the other variables hold follows from other fields, but for `nodes`, which is compared as a whole.
    if variable != "node" or field in _FOLLOWING:
        return
    if field not in ResolvedNode.model_fields:
        yield from BYSTANDERS
    elif field in BYSTANDERS:
        yield field
