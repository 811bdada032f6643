"""Texts of configuration files with their secrets hidden, for people who look at what was changed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from provisioner.config.marked import MarkedList, MarkedMap, Scalar, Span, Value, parse
from provisioner.model.secret import HIDDEN, SECRET_PATHS, reference

# A mistake may have put a secret anywhere, so the last key decides, wherever it stands.
_KEYS = frozenset(path.rpartition(".")[2] for path in SECRET_PATHS)
_KEY = f"(?:{'|'.join(map(re.escape, sorted(_KEYS)))})"
_REMARK = re.compile(rf"(#[^\n]*?\b{_KEY}[\"']?\s*[:=]\s*)([^\n]+)")
# Without a tree nobody knows where a value ends: the line goes, and what is indented deeper below it.
_UNPARSED = re.compile(
    rf"^([ ]*)([^\n]*?\b{_KEY}[\"']?[ \t]*:)([^\n]*(?:\n(?:\1[ \t]+[^\n]*|[ \t]*(?=\n)))*)", re.MULTILINE
)
_STAND_IN = re.compile("\0[0-9]+\0")


class Disguise:
    """Hides secrets in texts that are compared with each other: equal ones are equal while they are hidden."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def put_on(self, text: str) -> str:
        """The text with a stand-in for every secret; it must hold no NUL."""
        document = parse("", text)
        if document.root is None or document.problems:
            return _UNPARSED.sub(lambda found: f"{found[1]}{found[2]} {self._stand_in(found[3])}", text)
        for span in sorted(_secrets(document.root), reverse=True):
            secret = text[span.start : span.end].rstrip("\n")
            text = text[: span.start] + self._stand_in(secret) + text[span.start + len(secret) :]
        return _REMARK.sub(lambda found: found[1] + self._stand_in(found[2]), text)

    def _stand_in(self, secret: str) -> str:
        return f"\0{self._numbers.setdefault(secret, len(self._numbers))}\0"


def stars(text: str) -> str:
    """A text with stars for every stand-in."""
    return _STAND_IN.sub(HIDDEN, text)


def _secrets(value: Value, *, secret: bool = False) -> Iterator[Span]:
    """Where the values are that nobody shall read."""
    if isinstance(value, Scalar):
        if secret and value.text is not None and reference(value.text) is None:
            yield value.span
    elif isinstance(value, MarkedList):
        for item in value.items:
            yield from _secrets(item, secret=secret)
    elif isinstance(value, MarkedMap):
        for pair in value.pairs:
            yield from _secrets(pair.value, secret=secret or pair.key.text in _KEYS)
