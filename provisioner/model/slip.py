"""Typing mistakes in a hardware address: one digit for another, or two neighbours that changed places."""

from __future__ import annotations

from collections.abc import Iterator

_DIGITS = "0123456789abcdef"


def slips(mac: str) -> Iterator[str]:
    """The addresses that one typing mistake makes of another one, which is not among them."""
    digits = mac.replace(":", "")
    for at, digit in enumerate(digits):
        for other in _DIGITS:
            if other != digit:
                yield _address(digits[:at] + other + digits[at + 1 :])
    for at in range(len(digits) - 1):
        left, right = digits[at], digits[at + 1]
        if left != right:
            yield _address(digits[:at] + right + left + digits[at + 2 :])


def _address(digits: str) -> str:
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))
