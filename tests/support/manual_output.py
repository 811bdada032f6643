"""What a page promises against what a command printed.

`...` alone in a line stands for any lines, and inside a line for any text; `…` stands for a piece without blanks.
Some values are examples wherever they stand: a duration (`75.3 s`), a date, a size of four digits or more, and an
identifier of 16 hexadecimal digits. Equal examples of identifiers are equal in the run too, throughout a page, and
different ones differ. Blanks are as good as one another, because widths of columns follow from what is in them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

_TOKEN = re.compile(
    r"(?P<any>\.\.\.)"
    r"|(?P<piece>…)"
    r"|(?P<date>\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\dZ?)?)"
    r"|(?P<identifier>\b[0-9a-f]{16}\b)"
    r"|(?P<duration>\b\d+(?:\.\d+)? (?:ms|s|min|h)\b)"
    r"|(?P<size>(?<!\S)\d{4,}(?!\S))"
    r"|(?P<short>\b[0-9a-f]{8}\b)"
    r"|(?P<blanks>(?<=\S)\s+)"
)
_ANY_LINES = "..."
_PLAIN = {
    "any": r"[^\n]*?",
    "piece": r"[^\s]+",
    "date": r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\dZ?)?",
    "duration": r"\d+(?:\.\d+)? (?:ms|s|min|h)\b",
    "size": r"\d+",
    "blanks": r"[ \t]+",
}


class Shown:
    """The identifiers that a page has shown so far, with those of the run that they stand for."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def matches(self, wanted: Sequence[str], got: str) -> bool:
        """Whether a command printed what the page promises; learns the identifiers when it did."""
        return self._match(wanted, got) is not None

    def pattern(self, line: str) -> re.Pattern[str]:
        """What finds a promised line among others."""
        return re.compile(re.sub(r"\(\?P=\w+\)", "[0-9a-f]{16}", self._pattern(line, {})))

    def difference(self, wanted: Sequence[str], got: str) -> str:
        """What was promised and what came, as a diff; lines that match are shown as they came."""
        came = got.splitlines()
        expected = [self._as_it_came(line, came) for line in wanted]
        return "\n".join(difflib.unified_diff(expected, came, "wanted", "got", n=100, lineterm=""))

    def _match(self, wanted: Sequence[str], got: str) -> re.Match[str] | None:
        names: dict[str, str] = {}
        pattern = "".join(
            r"(?:[^\n]*\n)*?" if line.strip() == _ANY_LINES else self._pattern(line, names) + r"[ \t]*\n"
            for line in wanted
        )
        found = re.fullmatch(pattern, got)
        if found is None:
            return None
        fresh = {shown: found[group] for shown, group in names.items()}
        if len({**self._known, **fresh}.values()) != len({*self._known.values(), *fresh.values()}):
            return None
        self._known.update(fresh)
        return found

    def _pattern(self, line: str, names: dict[str, str]) -> str:
        """A regular expression for a line; `names` collects the groups of identifiers that are new."""
        found, end = [], 0
        for token in _TOKEN.finditer(line):
            found += [re.escape(line[end : token.start()]), self._token(token, names)]
            end = token.end()
        return "".join([*found, re.escape(line[end:].rstrip())])

    def _token(self, token: re.Match[str], names: dict[str, str]) -> str:
        kind, text = token.lastgroup or "", token[0]
        if kind == "identifier":
            return self._identifier(text, names)
        if kind == "short":
            return self._short(text, names)
        return _PLAIN[kind]

    def _identifier(self, text: str, names: dict[str, str]) -> str:
        if text in self._known:
            return self._known[text]
        if text in names:
            return f"(?P={names[text]})"
        names[text] = f"id{len(names)}"
        return f"(?P<{names[text]}>[0-9a-f]{{16}})"

    def _short(self, text: str, names: dict[str, str]) -> str:
        """The first half of an identifier that the page has shown; anything else stands for itself."""
        known = [actual for shown, actual in self._known.items() if shown.startswith(text)]
        if known:
            return known[0][:8]
        new = any(shown.startswith(text) for shown in names)
        return "[0-9a-f]{8}" if new else re.escape(text)

    def _as_it_came(self, line: str, came: Sequence[str]) -> str:
        if line.strip() == _ANY_LINES:
            return line
        pattern = self.pattern(line)
        return next((each for each in came if pattern.fullmatch(each.rstrip())), line)
