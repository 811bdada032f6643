"""Which variables the templates of an overlay read: type from the models, meaning from its overlay.yaml."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from enum import Enum
from functools import cached_property
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from provisioner.model.resolved import ResolvedNode
from provisioner.model.secret import Secret
from provisioner.model.written import Site
from provisioner.overlay.context import Head, SshKeys
from provisioner.overlay.hosttrust import HostTrust
from provisioner.overlay.imagefacts import ImageFacts
from provisioner.overlay.library import Piece
from provisioner.overlay.links import links_of
from provisioner.overlay.secretbox import VARIABLE, SecretLines, SecretText
from provisioner.render.escape import Multiline
from provisioner.render.inputs import Read

NODE = "node"
TYPES: Mapping[str, object] = {
    NODE: ResolvedNode,
    "nodes": list[ResolvedNode],
    "site": Site,
    "cluster": str,
    "head": Head,
    "machine_id": str,
    "ssh": SshKeys,
    "host_trust": HostTrust,
    "links": get_type_hints(links_of)["return"],
    "image": ImageFacts,
    "site_file": str,
    VARIABLE: dict[str, SecretText],
}
"""The types of the variables of every template."""

_MEANINGS = {
    NODE: "the node",
    "nodes": "every node, sorted by name",
    "site": "what provisioner.yaml says",
    "cluster": "the name of the cluster",
    "head": "the head node as this node sees it",
    "machine_id": "the machine id, the same at every boot",
    "ssh": "the node's own SSH host key",
    "host_trust": "whose SSH host keys the nodes trust",
    "links": "the network devices, in the form that network backends need",
    "image": "what the image holds that the node boots",
    "site_file": "a file below files/ of the site: site_file(PATH)",
    VARIABLE: "secrets of the site: secrets.NAME",
}
_WORDS: Mapping[object, str] = {
    str: "text",
    Multiline: "text",
    SecretText: "secret",
    SecretLines: "secret",
    Secret: "secret",
    int: "number",
    float: "number",
    bool: "yes or no",
    Any: "anything",
    IPv4Address: "IPv4 address",
    IPv6Address: "IPv6 address",
    IPv4Network: "IPv4 network",
    IPv6Network: "IPv6 network",
    IPv4Interface: "IPv4 address/prefix",
    IPv6Interface: "IPv6 address/prefix",
    NoneType: "nothing",
}
_UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable, or a part of one: `node.tags`. `used_by` are templates by their names in the overlay."""

    name: str
    type: str
    meaning: str
    used_by: tuple[str, ...]


def variables(pieces: Iterable[Piece], meanings: Mapping[str, str]) -> tuple[Variable, ...]:
    """What some pieces read, and what is documented, sorted by name.

    `meanings` is as in overlay.yaml, where fields of the node go by their own names.
    """
    users: dict[Read, set[str]] = {}
    for piece in pieces:
        if piece.template:
            # Templates get no others; what else looks like one they set themselves, on some of their ways.
            for read in (each for each in piece.template.inputs.reads if each[0] in TYPES):
                path = piece.template.label.partition("/rootfs/")[2]
                users.setdefault(_known_part(read), set()).add(path)
    documented = {_read_of(name): text for name, text in meanings.items()}
    rows = {read: _variable(read, documented.get(read, ""), used) for read, used in users.items()}
    for read, text in documented.items():
        used = {path for part, paths in users.items() if _overlap(part, read) for path in paths}
        rows[read] = _variable(read, text, used)
    return tuple(rows[read] for read in sorted(rows))


def _variable(read: Read, meaning: str, used: Iterable[str]) -> Variable:
    kind = _type_of(read)
    said = meaning or (_MEANINGS.get(read[0], "") if len(read) == 1 else "")
    return Variable(".".join(read), _UNKNOWN if kind is None else in_words(kind), said, tuple(sorted(used)))


def _read_of(name: str) -> Read:
    """`tags.timezone` and `site.ssh.admin_keys` as what templates read."""
    steps = tuple(name.split("."))
    return steps if steps[0] in TYPES else (NODE, *steps)


def _known_part(read: Read) -> Read:
    """As much of it as names values; methods, such as `get` of a map, are left out."""
    while len(read) > 1 and _type_of(read) is None:
        read = read[:-1]
    return read


def _overlap(one: Read, other: Read) -> bool:
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _type_of(read: Read) -> object | None:
    kind: object | None = TYPES.get(read[0])
    for step in read[1:]:
        kind = None if kind is None else _step(_bare(kind), step)
    return kind


def _step(kind: object, step: str) -> Any:
    if isinstance(kind, type) and issubclass(kind, BaseModel) and step in kind.model_fields:
        return kind.model_fields[step].annotation
    if get_origin(kind) is dict or kind is dict:
        return None if hasattr(dict, step) else (*get_args(kind), Any, Any)[1]
    if get_origin(kind) in (list, tuple) and step.isupper():
        # Documented as `interfaces.NAME.mac`: one of them, whichever.
        return get_args(kind)[0]
    if kind is Any:
        return None if hasattr(dict, step) else Any
    if not isinstance(kind, type):
        return None
    found = getattr(kind, step, None)
    if isinstance(found, property | cached_property):
        getter = found.fget if isinstance(found, property) else found.func
        return get_type_hints(getter).get("return")
    return get_type_hints(kind).get(step) if is_dataclass(kind) else None


def _bare(kind: object) -> object:
    """A type without what is around it: `X | None` and `Annotated[X, ...]` are X."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        kinds = [each for each in get_args(kind) if each is not NoneType]
        return _bare(kinds[0]) if len(kinds) == 1 else kind
    return kind


def in_words(kind: object) -> str:
    """A type in words: `list of text`, `IPv4 address or nothing`."""
    if kind in _WORDS:
        return _WORDS[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return in_words(arguments[0])
    if origin in (Union, UnionType):
        return " or ".join(_once(in_words(each) for each in arguments))
    if origin is Literal:
        return " or ".join(str(each) for each in arguments)
    if origin in (list, tuple, frozenset, set):
        return f"list of {in_words(arguments[0])}" if arguments else "list"
    if origin is not None and issubclass(origin, Mapping):
        return f"map of {in_words(arguments[1])}"
    return _of_class(kind)


def _of_class(kind: object) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " or ".join(str(each.value) for each in kind)
    return str(getattr(kind, "__name__", kind)).removeprefix("Resolved")


def _once(words: Iterable[str]) -> Iterator[str]:
    return iter(dict.fromkeys(words))
