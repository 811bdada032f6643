"""Texts that nobody shall read over a shoulder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import GetCoreSchemaHandler, TypeAdapter
from pydantic_core import CoreSchema, core_schema

from provisioner.model.name import Name

HIDDEN = "********"

REFERENCE = "secret:"
"""How a value begins that names a secret."""

_NAMES: TypeAdapter[str] = TypeAdapter(Name)


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
        return core_schema.no_info_after_validator_function(_checked, core_schema.str_schema(min_length=1))


def _checked(text: str) -> Secret:
    name = reference(text)
    if name is not None:
        _NAMES.validate_python(name)
    return Secret(text)


def reference(text: str) -> str | None:
    """The secret of the site that a value names (`secret:NAME`); None for a value in clear."""
    return str.__str__(text).removeprefix(REFERENCE) if text.startswith(REFERENCE) else None


def is_secret_name(text: str) -> bool:
    """Whether a secret can have this name, which is also that of its file."""
    try:
        _NAMES.validate_python(text)
    except ValueError:
        return False
    return True


def masked(value: Any) -> Any:
    """What people may see of a secret value: stars; a reference as it is, and nothing where there is none."""
    return value if value is None or reference(str(value)) is not None else HIDDEN


# The dotted paths of a node that are secret.
SECRET_PATHS = frozenset({"bmc.password"})


def redacted(
    record: Mapping[str, Any], prefix: str = "", *, reveal: Callable[[str], str] | None = None
) -> dict[str, Any]:
    """Plain data of a node with stars in place of every secret; a reference to one tells nothing, and stays.

    With `reveal` there is what it makes of them.
    """
    shown: dict[str, Any] = {}
    for key, value in record.items():
        path = f"{prefix}{key}"
        if path in SECRET_PATHS:
            shown[key] = reveal(value) if reveal and isinstance(value, str) else masked(value)
        else:
            shown[key] = redacted(value, f"{path}.", reveal=reveal) if isinstance(value, Mapping) else value
    return shown
