"""Lengths of time as people write them: `30d`, `12h`, `90min`."""

from __future__ import annotations

import re
from typing import Any, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_DURATION = re.compile(r"([0-9]{1,9}) ?(s|min|h|d|w)")
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


class Duration(str):
    """A length of time in its one form, `30d`: a whole number, and s, min, h, d or w."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check the spelling; ValueError says what was expected."""
        match = _DURATION.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not a length of time; expected 30d, 12h, 90min, 45s or 2w")
        return super().__new__(cls, f"{int(match[1])}{match[2]}")

    @property
    def seconds(self) -> float:
        """The same in seconds."""
        match = _DURATION.fullmatch(self)
        return float(int(match[1]) * _SECONDS[match[2]]) if match else 0.0

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate from text in models; serialise as text."""
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())
