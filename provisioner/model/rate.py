"""How fast a link carries bits, as people write it."""

from __future__ import annotations

import re
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_FORM = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,3})?) ?([MG])bit(?:/s)?", re.IGNORECASE)
_BITS = {"M": 10**6, "G": 10**9}
_SLOWEST = 10**6
UNLIMITED = "unlimited"


class Rate(str):
    """`10Gbit`, `900Mbit`: bits a second, by powers of ten as links are sold; or `unlimited`."""

    __slots__ = ()

    def __new__(cls, text: str) -> Rate:
        """Check the form; ValueError says what was expected."""
        words = text.strip()
        if words != UNLIMITED:
            match = _FORM.fullmatch(words)
            if not match or float(match[1]) * _BITS[match[2].upper()] < _SLOWEST:
                raise ValueError(f"{text!r} is not a rate; expected 10Gbit, 900Mbit, or unlimited")
        return super().__new__(cls, words)

    @property
    def bits(self) -> int | None:
        """Bits a second; None for `unlimited`."""
        match = _FORM.fullmatch(self)
        return round(float(match[1]) * _BITS[match[2].upper()]) if match else None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate from text in models; serialise as text."""
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())
