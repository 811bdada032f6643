"""What a template asks for and is not there, in words for whoever wrote the template."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from jinja2 import StrictUndefined
from jinja2.utils import missing
from pydantic import BaseModel

_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")


class NamedUndefined(StrictUndefined):
    """Any use of it is an error, which names what lacks the field and the field that was likely meant."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        holder, name = self._undefined_obj, self._undefined_name
        if self._undefined_hint or holder is missing or not isinstance(name, str):
            return str(super()._undefined_message)
        meant = get_close_matches(name, _names(holder), n=1)
        also = f"; did you mean '{meant[0]}'?" if meant else ""
        return f"{_kind(holder)} has no {'key' if isinstance(holder, Mapping) else 'field'} {name!r}{also}"


def _names(holder: object) -> Iterable[str]:
    if isinstance(holder, BaseModel):
        return type(holder).model_fields
    keys = holder if isinstance(holder, Mapping) else getattr(type(holder), "__dataclass_fields__", ())
    return [each for each in keys if isinstance(each, str)]


def _kind(holder: object) -> str:
    """`a node` of a ResolvedNode, `a boot interface` of a BootInterface."""
    if isinstance(holder, Mapping):
        return "the map"
    name = _WORDS.sub(" ", type(holder).__name__.removeprefix("Resolved")).lower()
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
