"""How much memory a root file system may take: a share of the machine's, or a size."""

from __future__ import annotations

import re
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from provisioner.model.disk import Size

_SHARE = re.compile(r"([0-9]{1,2}|100) ?%")


class RootSize(str):
    """A limit in its one canonical form, `50%` or `2GiB`; a bare number counts MiB."""

    __slots__ = ()

    def __new__(cls, text: str) -> RootSize:
        """Parse any accepted spelling; ValueError says what was expected."""
        share = _SHARE.fullmatch(text.strip())
        if share is not None:
            return super().__new__(cls, f"{_positive(int(share[1]), text)}%")
        try:
            size = Size(text)
        except ValueError:
            raise _unfit(text) from None
        _positive(size.mib, text)
        return super().__new__(cls, size)

    @property
    def share(self) -> int | None:
        """The share of the machine's memory in percent; None for a size."""
        return int(self[:-1]) if self.endswith("%") else None

    def of(self, memory: int) -> int:
        """The limit in bytes on a machine with so many bytes of memory."""
        return Size(self).mib << 20 if self.share is None else memory * self.share // 100

    @property
    def mount_option(self) -> str:
        """As the option `size` of tmpfs(5) has it: `50%` or `2048m`."""
        return str(self) if self.share is not None else f"{Size(self).mib}m"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate from text in models; serialise as text."""
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())


def _positive(number: int, text: str) -> int:
    # For tmpfs a size of zero is no limit at all.
    if not number:
        raise _unfit(text)
    return number


def _unfit(text: str) -> ValueError:
    return ValueError(f"{text!r} is not a size for a root; expected a share of the memory, 50%, or 2GiB")
