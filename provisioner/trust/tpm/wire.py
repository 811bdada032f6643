"""The bytes of TPM structures (part 2): big-endian numbers, and byte strings after their 16-bit length."""

from __future__ import annotations

from provisioner.errors import ProtocolError

SHA256 = 0x000B
"""TPM_ALG_SHA256 (part 2, 6.3)."""
MOST = 4096
"""No structure that a node sends has more bytes."""


class Reader:
    """Reads a structure from its start. Every method raises ProtocolError where it ends too early."""

    def __init__(self, data: bytes, what: str) -> None:
        if len(data) > MOST:
            raise ProtocolError(f"{what} has more than {MOST} bytes")
        self._data, self._what, self._at = data, what, 0

    def take(self, count: int) -> bytes:
        """The next bytes."""
        if self._at + count > len(self._data):
            raise ProtocolError(f"{self._what} is cut off")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, size: int) -> int:
        """The next number, of so many bytes."""
        return int.from_bytes(self.take(size))

    def sized(self) -> bytes:
        """A byte string after its length: TPM2B_*."""
        return self.take(self.number(2))

    def end(self) -> None:
        """ProtocolError where anything follows."""
        if self._at != len(self._data):
            raise ProtocolError(f"{self._what} has {len(self._data) - self._at} bytes too many")


def number(value: int, size: int) -> bytes:
    """A number of so many bytes."""
    return value.to_bytes(size)


def sized(data: bytes) -> bytes:
    """A byte string after its length."""
    return number(len(data), 2) + data
