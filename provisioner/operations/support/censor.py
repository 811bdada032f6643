"""Secrets blacked out of texts: those that the site holds, to the byte, and whatever has the shape of one."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator

BLACK = "[removed]"
# Shorter ones stand in texts by chance, and hide nothing that could not be guessed.
_SHORTEST = 4
_LONGEST_KEY = 500
_WORDS = r"pass(?:word|wd|phrase)|secret|token|community|psk|api[_-]?key|private[_-]?key|credential"
_SHAPES = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    # crypt(5).
    re.compile(r"\$(?:1|2[abxy]?|5|6|7|y|gy|sha1|md5)\$[./A-Za-z0-9$,=]{8,}"),
    # Tokens of boots (trust.token): claims and their HMAC, in Base64 for URLs.
    re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{24,4096}\.[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])"),
    # A password in an address.
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),
)
_NAMED = re.compile(
    rf"((?:{_WORDS})[A-Za-z0-9_.-]{{0,64}}\\?[\"']?\s{{0,8}}[:=]\s{{0,8}})(\"[^\"\n]*\"|'[^'\n]*'|[^\s,}}]+)",
    re.IGNORECASE,
)
_OPENS = re.compile(
    rf"^((\s*)(?:- )?[\"']?[\w.-]*(?:{_WORDS})[\w.-]*[\"']?\s*:)\s*[|>][-+0-9]*\s*$", re.IGNORECASE
)


class Censor:
    """Blacks out; `known` are the secrets themselves, as the bytes of their files."""

    def __init__(self, known: Iterable[bytes] = ()) -> None:
        spellings = {each for secret in known for each in _spellings(secret)}
        # The longest first: one may be a part of another.
        longest_first = sorted(spellings, key=lambda each: (-len(each), each))
        self._known = re.compile("|".join(map(re.escape, longest_first))) if spellings else None

    def apply(self, text: str) -> str:
        """The text without secrets."""
        if self._known is not None:
            text = self._known.sub(BLACK, text)
        for shape in _SHAPES:
            text = shape.sub(BLACK, text)
        text = "".join(_without_blocks(text))
        return _NAMED.sub(lambda found: f"{found[1]}{BLACK}", text)


def _without_blocks(text: str) -> Iterator[str]:
    """The lines, without block scalars of YAML below a key that names a secret."""
    depth: int | None = None
    for line in text.splitlines(keepends=True):
        indent = len(line) - len(line.lstrip())
        if depth is not None and (not line.strip() or indent > depth):
            continue
        depth = None
        # No key is that long, and a search in a line without an end takes as long.
        if len(line) < _LONGEST_KEY and (opened := _OPENS.match(line)):
            depth = len(opened[2])
            yield f"{opened[1]} {BLACK}\n"
        else:
            yield line


def _spellings(secret: bytes) -> Iterator[str]:
    """How a secret may stand in a text: as it is, each longer line of it, in Base64, in hexadecimal digits."""
    bare = secret.strip()
    for each in {secret, bare} - {b""}:
        yield from (
            base64.b64encode(each).decode(),
            base64.urlsafe_b64encode(each).decode().rstrip("="),
            each.hex(),
        )
    text = bare.decode(errors="replace")
    if len(text) >= _SHORTEST and "\ufffd" not in text:
        yield text
        yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
        yield from (line for line in map(str.strip, text.splitlines()) if len(line) >= 2 * _SHORTEST)
