"""The kinds of text that people write: names, references and arguments, each with its rule.

An item of a list that starts with `~` removes the inherited item of that name; `Removable` types accept both.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

REMOVES = "~"

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
# IFNAMSIZ of Linux is 16, with the final NUL.
_INTERFACE = re.compile(r"(?!lo$)[A-Za-z0-9]([A-Za-z0-9_.-]{0,13}[A-Za-z0-9])?")
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# 253 characters are the 255 octets of RFC 1035 section 2.3.4.
_DOMAIN = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")
_IMAGE = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}(@([1-9][0-9]{0,8}|[a-z][a-z0-9_.-]{0,62}|sha256:[0-9a-fA-F]{64}))?"
)
_ARGUMENT = re.compile(r"[\x21-\x7e]+")
_PATH = re.compile(r"(/(?!\.\.?(/|$))[!-.0-~]+)+|/")
_DEVICE = re.compile(r"/dev(/(?!\.\.?(/|$))[A-Za-z0-9_.:+-]+)+")
_WORD = re.compile(r"[A-Za-z0-9_.:=,/+%@-]+")
_KERNEL = re.compile(r"[0-9][A-Za-z0-9_.+~-]{0,63}")
_PRINTED = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]"
_LINE = re.compile(_PRINTED + "{1,256}")
_TEXT = re.compile(_PRINTED + "*")
_OPERATORS = frozenset({"||", "&&", "|", "&", ";"})
_OURS = ("prov.", "root=")


def _matching(pattern: re.Pattern[str], expected: str, *, removable: bool = False) -> AfterValidator:
    def check(text: str) -> str:
        if not pattern.fullmatch(text.removeprefix(REMOVES) if removable else text):
            raise ValueError(f"{text!r} is not {expected}")
        return text

    return AfterValidator(check)


def _kernel_argument(argument: str) -> str:
    # The kernel line passes through iPXE, which expands settings and acts on these words.
    if argument in _OPERATORS or argument.startswith("#") or "${" in argument:
        raise ValueError(f"{argument!r} has a meaning of its own in iPXE, so it cannot be a kernel argument")
    if argument.startswith(_OURS):
        raise ValueError(
            f"{argument!r} is not yours to set: arguments with {' and '.join(_OURS)} are the product's"
        )
    return argument


_A_NAME = "a name: letters, digits, '-', '_', '.', at most 63"
_AN_INTERFACE = "an interface: letters, digits, '-', '_', '.', at most 15, and not lo"

Name = Annotated[str, _matching(_NAME, _A_NAME)]
RemovableName = Annotated[str, _matching(_NAME, _A_NAME, removable=True)]
InterfaceName = Annotated[str, _matching(_INTERFACE, _AN_INTERFACE)]
RemovableInterface = Annotated[str, _matching(_INTERFACE, _AN_INTERFACE, removable=True)]
Domain = Annotated[str, _matching(_DOMAIN, "a domain such as cluster.local, at most 253 characters")]
ImageRef = Annotated[str, _matching(_IMAGE, "an image: NAME, NAME@GENERATION, NAME@TAG or NAME@sha256:DIGEST")]
KernelArgument = Annotated[
    str,
    _matching(_ARGUMENT, "one kernel argument (no spaces, printable ASCII)"),
    AfterValidator(_kernel_argument),
]
KernelVersion = Annotated[str, _matching(_KERNEL, "a kernel release or the start of one, such as 5.14")]
FilePath = Annotated[str, _matching(_PATH, "an absolute path such as /sbin/init, without spaces")]
DevicePath = Annotated[str, _matching(_DEVICE, "a device such as /dev/sda or /dev/disk/by-partlabel/scratch")]
Word = Annotated[str, _matching(_WORD, "one word of letters, digits and _.:=,/+%@-")]
RemovableWord = Annotated[str, _matching(_WORD, "one word of letters, digits and _.:=,/+%@-", removable=True)]
Line = Annotated[str, _matching(_LINE, "one line of at most 256 characters, without control characters")]
Text = Annotated[str, _matching(_TEXT, "one line without control characters")]
