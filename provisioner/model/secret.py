"""Texts that nobody shall read over a shoulder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

HIDDEN = "********"


class Secret(str):
    """A text that shows itself as stars; `.reveal()` gives it to whoever has to use it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(HIDDEN)

    def reveal(self) -> str:
        """The text itself."""
        return str.__str__(self)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate from text in models; serialise as the text, because stored records need it."""
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema(min_length=1))


# The dotted paths of a node that are secret.
SECRET_PATHS = frozenset({"bmc.password"})


def redacted(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Plain data of a node with stars in place of every secret."""
    shown: dict[str, Any] = {}
    for key, value in record.items():
        path = f"{prefix}{key}"
        if path in SECRET_PATHS and value is not None:
            shown[key] = HIDDEN
        else:
            shown[key] = redacted(value, f"{path}.") if isinstance(value, Mapping) else value
    return shown
