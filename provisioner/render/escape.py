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
# How Python shows an object that has no other text; filters may have changed its letters.
_PLACE = re.compile(r"(<[^<>]+) at 0x[0-9a-f]+>", re.IGNORECASE)
_NO_GRUB_ARGUMENT = re.compile(r"""["'\\]""")
_DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")
_DOMAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}")
_LAST_OF_FOUR_DIGITS = 0xFFFF
_IPXE_OPERATORS = frozenset({"||", "&&", ";", "&", "|"})


def printed(value: object) -> str:
    """The text of a value in a file, for every expression; refuses what `one_line` refuses.

    An object without a text of its own is refused too: Python would print where in the memory it lies, another
    text in every process.
    """
    text = str(value)
    found = _PLACE.search(text)
    if found:
        # Without the address: a mistake is told with the same words every time.
        raise TypeError(f"{found[1]}> has no text of its own; print one of its fields, or call it")
    one_line(value if isinstance(value, Multiline) else text)
    return text


def one_line(value: object) -> object:
    """Refuse control characters and line breaks in a value."""
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


def grub(value: object) -> str:
    """One word of a GRUB script, for commands that take it as it is: `echo`, names of files."""
    return shlex.quote(str(one_line(str(value))))


def grub_line(value: object) -> str:
    """The words of a kernel line in a GRUB script.

    GRUB takes them apart as a shell does and puts them together for the kernel with backslashes before quotes and
    backslashes, which the kernel does not take away again (grub_create_loader_cmdline, GRUB 2.06).
    """
    text = str(one_line(str(value)))
    if _NO_GRUB_ARGUMENT.search(text):
        raise UnsafeValueError(f"{text!r}: GRUB cannot hand quotes or backslashes to the kernel")
    return " ".join(map(grub, text.split()))


def shell(value: object) -> str:
    """One word of a POSIX shell."""
    return shlex.quote(str(value))


def device(value: object) -> str:
    """The name of a network device, for network files: most of their languages have no quotes for one."""
    text = str(value)
    if not _DEVICE.fullmatch(text):
        raise UnsafeValueError(f"{text!r} is not the name of a network device")
    return text


def domain(value: object) -> str:
    """The name of a domain, for lists with blanks or semicolons between their items."""
    text = str(value)
    if not _DOMAIN.fullmatch(text):
        raise UnsafeValueError(f"{text!r} is not a domain")
    return text


def yaml(value: object) -> str:
    """One scalar of YAML, always a text: double-quoted, in ASCII (YAML 1.2 sections 5.7 and 7.3.1)."""
    return '"' + "".join(map(_yaml_character, str(one_line(str(value))))) + '"'


def refuse(reason: object) -> str:
    """Stop: the file cannot say what the node asks for. The reason tells what to do instead."""
    raise UnsafeValueError(str(reason))


def _yaml_character(character: str) -> str:
    if " " <= character <= "~":
        return f"\\{character}" if character in '"\\' else character
    number = ord(character)
    return f"\\u{number:04x}" if number <= _LAST_OF_FOUR_DIGITS else f"\\U{number:08x}"


FILTERS = {
    "ipxe": ipxe,
    "ipxe_text": ipxe_text,
    "grub": grub,
    "grub_line": grub_line,
    "shell": shell,
    "device": device,
    "domain": domain,
    "yaml": yaml,
    "refuse": refuse,
}
