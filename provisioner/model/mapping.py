"""The base of all models of what people write, and the rule by which `~KEY:` removes what is inherited."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_origin

from pydantic import BaseModel, ConfigDict, Field, model_validator

from provisioner.model.name import REMOVES

Path = tuple[str, ...]

# Nobody can type it: `config.marked` refuses keys with this character.
_ALIAS = "\0removed"


class Written(BaseModel):
    """A mapping that people write. An unset key is None or empty; unknown keys are refused.

    `removed` holds the paths, below this mapping, of what a key `~NAME:` with nothing behind it removes: a field,
    or a key of a field that is a map.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    removed: frozenset[Path] = Field(default=frozenset(), validation_alias=_ALIAS, exclude=True, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_unset(cls, data: Any) -> Any:
        # `eth0:` with nothing behind it is an interface that sets nothing; `image:` is an image that is not set.
        if data is None:
            return {}
        if not isinstance(data, dict) or _ALIAS in data:
            return data
        removed = frozenset(cls._removals(data))
        kept = {
            key: cls._without(key, value)
            for key, value in data.items()
            if not (key.startswith(REMOVES) and (key.removeprefix(REMOVES),) in removed)
        }
        given = {key: value for key, value in kept.items() if value is not None or key not in cls._fields()}
        return {**given, _ALIAS: removed} if removed else given

    @classmethod
    def _removals(cls, data: dict[str, Any]) -> Iterator[Path]:
        for key, value in data.items():
            name = key.removeprefix(REMOVES)
            if key != name and value is None and name in cls._removable():
                yield (name,)
            elif cls._is_map(key) and isinstance(value, dict):
                yield from ((key, *path) for path in _removed_keys(value, deep=cls._is_free(key)))

    @classmethod
    def _without(cls, key: str, value: Any) -> Any:
        if not cls._is_map(key) or not isinstance(value, dict):
            return value
        return _kept_keys(value, deep=cls._is_free(key))

    @classmethod
    def _fields(cls) -> frozenset[str]:
        return frozenset(cls.model_fields) - {"removed"}

    @classmethod
    def _removable(cls) -> frozenset[str]:
        """The fields of which there may be something to remove."""
        return cls._fields()

    @classmethod
    def _is_map(cls, key: str) -> bool:
        field = cls.model_fields.get(key)
        return field is not None and get_origin(field.annotation) is dict

    @classmethod
    def _is_free(cls, key: str) -> bool:
        """Whether a field holds whatever people like: then maps inside it follow the same rule."""
        field = cls.model_fields[key]
        return field.annotation == dict[str, Any]


def _removed_keys(data: dict[str, Any], *, deep: bool) -> Iterator[Path]:
    for key, value in data.items():
        if _removes(key, value):
            yield (key.removeprefix(REMOVES),)
        elif deep and isinstance(value, dict):
            yield from ((key, *path) for path in _removed_keys(value, deep=True))


def _kept_keys(data: dict[str, Any], *, deep: bool) -> dict[str, Any]:
    return {
        key: _kept_keys(value, deep=True) if deep and isinstance(value, dict) else value
        for key, value in data.items()
        if not _removes(key, value) and not (deep and value is None)
    }


def _removes(key: str, value: Any) -> bool:
    return key.startswith(REMOVES) and len(key) > 1 and value is None
