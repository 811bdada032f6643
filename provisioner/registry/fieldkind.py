"""What a field of the written model holds, read from the model itself: a value, a list, a map, or more fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from provisioner.model.mapping import Written
from provisioner.model.name import DevicePath, KernelArgument


class Shape(Enum):
    """How a value is written."""

    VALUE = "value"
    LIST = "list"
    MAP = "map"
    FIELDS = "fields"
    FREE = "free"


@dataclass(frozen=True)
class FieldKind:
    """What stands behind a field.

    `fields` are those of FIELDS; `inner` is what every key of a MAP or item of a LIST holds; `key` is the word
    that stands for a key of a MAP; `separator` parts the items of a LIST on the command line, None is a space.
    """

    shape: Shape
    fields: Mapping[str, FieldKind]
    inner: FieldKind | None = None
    key: str = "NAME"
    separator: str | None = ","


@cache
def kind_of(model: type[Written]) -> FieldKind:
    """The kind of a whole model."""
    fields = model.model_fields.items()
    return FieldKind(Shape.FIELDS, {name: _kind(field.annotation) for name, field in fields if name != "removed"})


def names_below(kind: FieldKind) -> Iterator[tuple[str, ...]]:
    """The paths of every value and list below a kind, with a word in capitals for the keys of maps."""
    if kind.shape is Shape.FIELDS:
        for name, inner in kind.fields.items():
            yield from ((name, *path) for path in names_below(inner))
    elif kind.shape is Shape.MAP and kind.inner is not None:
        yield from ((kind.key, *path) for path in names_below(kind.inner))
    elif kind.shape is Shape.FREE:
        yield (kind.key,)
    else:
        yield ()


def _kind(annotation: Any) -> FieldKind:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(arguments[0])
    if origin in {Union, UnionType}:
        some = [each for each in arguments if each is not type(None)]
        return _kind(some[0]) if len(some) == 1 else FieldKind(Shape.VALUE, {})
    if origin is tuple:
        # A kernel argument may hold commas, but no space.
        separator = None if arguments[0] == KernelArgument else ","
        return FieldKind(Shape.LIST, {}, _kind(arguments[0]), separator=separator)
    if origin is dict:
        return _map(*arguments)
    if isinstance(annotation, type) and issubclass(annotation, Written):
        return kind_of(annotation)
    return FieldKind(Shape.VALUE, {})


def _map(keys: Any, values: Any) -> FieldKind:
    if values is Any:
        return FieldKind(Shape.FREE, {})
    return FieldKind(Shape.MAP, {}, _kind(values), key="DEVICE" if keys == DevicePath else "NAME")
