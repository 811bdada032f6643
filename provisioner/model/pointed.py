"""Errors in one short text that a person typed, with a pointer to the character."""

from __future__ import annotations

from unicodedata import category, combining, east_asian_width

_COLUMNS = 72
_INDENT = "  "
_ROOM = _COLUMNS - len(_INDENT)


class PointedError(ValueError):
    """The text is not what it should be, and one character shows it.

    `text` is what was typed, `offset` the place in it, counted in characters from 0 (the length of the text
    means its end), `reason` what is wrong there. `str()` is one line.
    """

    kind = "text"

    def __init__(self, text: str, offset: int, reason: str) -> None:
        # The arguments are what pickle makes the error from again in another process.
        super().__init__(text, offset, reason)
        self.text = text
        self.offset = offset
        self.reason = reason

    def __str__(self) -> str:
        return f"{shown(self.text)} is not a {self.kind}: {self.reason}"

    def pointed(self) -> str:
        """Three lines: the reason, the text (of a long one the part around the character), and a caret."""
        line, column = _window(_drawn(self.text), self.offset)
        return f"{self.reason}\n{_INDENT}{line}\n{_INDENT}{' ' * column}^"


def shown(text: str) -> str:
    """A text in quotes for a message, cut after 60 characters."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def _window(text: str, offset: int) -> tuple[str, int]:
    if len(text) < _ROOM:
        return text, offset
    # One column less than there is room for: the caret may stand behind the last character.
    width = _ROOM - 1
    start = min(max(0, offset - width // 2), len(text) - width)
    line = text[start : start + width]
    if start > 0:
        line = f"...{line[3:]}"
    if start + width < len(text):
        line = f"{line[:-3]}..."
    return line, offset - start


def _drawn(text: str) -> str:
    # The caret is placed by counting, so every character has to take exactly one column.
    return "".join(each if _takes_one_column(each) else "?" for each in text)


def _takes_one_column(char: str) -> bool:
    if char.isascii():
        return char.isprintable()
    narrow = east_asian_width(char) not in {"W", "F"} and not combining(char)
    return narrow and char.isprintable() and category(char) not in {"Mn", "Me", "Cf"}
