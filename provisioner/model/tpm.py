"""What is asked of the TPM of a node, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from provisioner.model.mapping import Written

MEASURED = range(10)
"""The registers (PCR) that firmware and loaders measure into."""
DEFAULT_REGISTERS = "0,2,4,7"

PURPOSES = {
    0: "firmware",
    1: "firmware settings",
    2: "firmware of cards",
    3: "settings of cards",
    4: "loaders",
    5: "partition table, settings of loaders",
    6: "events of the maker",
    7: "Secure Boot",
    8: "words of the loader",
    9: "files of the loader",
}
"""What is measured into each register (TCG PC Client Platform Firmware Profile, 3.3.4; 8 and 9: GRUB, Linux)."""


class Registers(str):
    """`0,2,4,7`: some of the registers PCR 0 to 9, each once and in order."""

    __slots__ = ()

    def __new__(cls, text: str) -> Registers:
        """Check them; ValueError says what was expected."""
        parts = [part.strip() for part in text.split(",")]
        if not all(part.isascii() and part.isdecimal() and int(part) in MEASURED for part in parts):
            raise ValueError(f"{text!r} are not registers; expected some of 0 to 9, as in {DEFAULT_REGISTERS}")
        return super().__new__(cls, ",".join(map(str, sorted({int(part) for part in parts}))))

    @property
    def numbers(self) -> tuple[int, ...]:
        """The registers by number."""
        return tuple(int(part) for part in self.split(","))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate from text in models; serialise as text."""
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())


class Tpm(Written):
    """Whether a node has to show its TPM before it gets anything, and which registers must be as accepted.

    `first_use`: the first TPM that a node shows is enrolled, with what it measured, and nobody is asked.
    """

    required: bool | None = None
    pcrs: Registers | None = None
    first_use: bool | None = None


class Sealing(StrEnum):
    """Who may have a secret. tpm: a node whose TPM has proven in this boot which it is, and what it measured."""

    TPM = "tpm"


class SecretRule(Written):
    """What holds for a secret of the site."""

    sealed: Sealing | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What a machine has proven: its TPM, by the SHA-256 of its endorsement key, and its registers in hexadecimal.

    `time` is Unix seconds, `boot` the boot in which it did.
    """

    key: str
    registers: Mapping[int, str]
    boot: str
    time: float


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The TPM that a node must have, and what it must have measured; who said so, and when (Unix seconds)."""

    key: str
    registers: Mapping[int, str]
    by: str
    time: float


@dataclass(frozen=True, slots=True)
class KnownTpm:
    """All that is known of the TPM of a node: what it must be, what was `shown` last, and why that was refused."""

    enrolled: Enrolment | None = None
    shown: Shown | None = None
    refusal: str = ""


UNKNOWN_TPM = KnownTpm()
