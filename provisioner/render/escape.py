"""What a value may look like in each output language.

Values come from what people write and from what machines show of themselves; none of them may add a line, an
option or a command. A language without quoting gets no escape but a refusal.
"""

from __future__ import annotations

import re
import shlex


class UnsafeValueError(ValueError):
    """A value that its output language cannot hold."""


class Multiline(str):
    """Text that may hold line breaks because this program made it, such as a key file."""

    __slots__ = ()


# Half a surrogate pair is no character, and nothing that UTF-8 can hold.
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")
_NO_IPXE_TEXT = re.compile(r"[^ -~]|[$|&;#]")
_IPXE_OPERATORS = frozenset({"||", "&&", ";", "&", "|"})


def one_line(value: object) -> object:
    """Refuse control characters and line breaks in any printed value; the default for every expression."""
    if isinstance(value, str) and not isinstance(value, Multiline) and _CONTROL.search(value):
        raise UnsafeValueError(f"{value!r} holds a line break or control character")
    return value


def ipxe(value: object) -> str:
    """Text in an iPXE script.

    iPXE expands `${...}` before it splits a line into words, knows no quotes, and takes words such as `||`
    and words that start with `#` for itself.
    """
    text = str(value)
    words = text.split()
    if "${" in text or any(word in _IPXE_OPERATORS or word.startswith("#") for word in words):
        raise UnsafeValueError(f"{text!r} means something to iPXE, which has no way to quote it")
    return text


def ipxe_text(value: object) -> str:
    """Words for a person in an iPXE script: what iPXE would act on becomes `?`, and nothing is refused.

    Not for names or arguments that a program reads.
    """
    return _NO_IPXE_TEXT.sub("?", str(value))


def shell(value: object) -> str:
    """One word of a POSIX shell."""
    return shlex.quote(str(value))


FILTERS = {"ipxe": ipxe, "ipxe_text": ipxe_text, "shell": shell}
