"""Resolved nodes as rows, and back: the part that is a node's own, and the part that it shares with others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from pydantic import create_model
from pydantic.fields import FieldInfo

from provisioner.model.resolved import Resolved, ResolvedInterface, ResolvedNode

# What differs from node to node. A field that is missing here is stored all the same, only less compactly.
_OWN = {"name", "interfaces", "primary", "bmc", "uuid", "serial", "asset", "comment"} & set(
    ResolvedNode.model_fields
)
_UNSHARED = {*_OWN, "provenance"}
# Of where values came from, what services say aloud; all else is worked out again from the files (`view.explain`).
_KEPT_PROVENANCE = ("image", "boot.source")
_SOURCE = ("file", "line", "entry", "column")

Data = Mapping[str, Any]


class NodeRow(NamedTuple):
    """One node: its own part as JSON, and the shared part with the key that follows from its content."""

    name: str
    own: str
    key: int
    shared: str
    provenance: str


def row_of(node: ResolvedNode) -> NodeRow:
    """The row of a node. Fields that are unset are left out."""
    own = node.model_dump(mode="json", include=_OWN)
    own["interfaces"] = [_without(each, _BLANK_INTERFACE) for each in own["interfaces"]]
    shared = _without(node.model_dump(mode="json", exclude=_UNSHARED), _BLANK_NODE)
    places = {
        field: [[getattr(source, key) for key in _SOURCE] for source in node.provenance[field]]
        for field in _KEPT_PROVENANCE
        if field in node.provenance
    }
    texts = _json(_without(own, _BLANK_NODE)), _json(shared), _json(places)
    return NodeRow(node.name, texts[0], _key(texts[1], texts[2]), texts[1], texts[2])


class Revival:
    """Rows back to nodes. What nodes share is validated once, and is the same objects in all of them."""

    def __init__(self, shared: Iterable[tuple[int, str, str]]) -> None:
        self._shared = {key: _template(json.loads(text), json.loads(places)) for key, text, places in shared}

    def node(self, key: int, own: str) -> ResolvedNode:
        """The node that a row was made of, with the provenance that is kept."""
        validated = _Own.model_validate_json(own)
        return self._shared[key].model_copy(update=validated.__dict__)


def _template(shared: Data, places: Mapping[str, list[list[Any]]]) -> ResolvedNode:
    provenance = {
        field: [dict(zip(_SOURCE, place, strict=True)) for place in each] for field, each in places.items()
    }
    unset = {"name": "", "interfaces": (), "primary": None}
    return ResolvedNode.model_validate({**unset, **shared, "provenance": provenance})


def _own_model() -> type[Resolved]:
    fields: dict[str, Any] = {name: (field.annotation, field) for name, field in _fields(_OWN).items()}
    return create_model("Own", __base__=Resolved, **fields)


def _fields(names: Collection[str]) -> dict[str, FieldInfo]:
    return {name: field for name, field in ResolvedNode.model_fields.items() if name in names}


def layout() -> dict[str, str]:
    """What a reader without the models has to know: the fields in their order, and what left out ones hold."""
    fields = [field for field in ResolvedNode.model_fields if field != "provenance"]
    return {"fields": _json(fields), "blank": _json({"node": _BLANK_NODE, "interface": _BLANK_INTERFACE})}


def _blank(model: type[ResolvedNode | ResolvedInterface]) -> dict[str, Any]:
    """The plain data of every field that may be left out."""
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    construct: Any = model.model_construct
    blank: dict[str, Any] = construct().model_dump(mode="json", exclude={*required, "provenance"})
    return blank


_Own = _own_model()
_BLANK_NODE = _blank(ResolvedNode)
_BLANK_INTERFACE = _blank(ResolvedInterface)


def _without(data: dict[str, Any], blank: Data) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in blank or blank[key] != value}


def _key(shared: str, provenance: str) -> int:
    digest = hashlib.sha256(f"{shared}\0{provenance}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _json(data: object) -> str:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)
