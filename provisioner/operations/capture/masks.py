"""What of a packet may leave the site: tokens and what they open are taken out before anything is written."""

from __future__ import annotations

import re

# The claims and signature of trust.token, wherever they stand; and what stands in their place in a URL.
_TOKEN = re.compile(rb"[A-Za-z0-9_-]{20,}={0,2}\.[A-Za-z0-9_-]{40,44}={0,2}")
_NAMED = re.compile(rb"((?:^|[\s/])t/|prov\.token=)([^\s/?&]+)")
_METHODS = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"OPTIONS ", b"CONNECT ", b"PATCH ")
_ANSWER = b"HTTP/1."
_SCRIPT = b"#!ipxe"
_END = b"\r\n\r\n"
_STATUS = re.compile(rb"HTTP/1\.\d ([45]\d\d)")
_LONGEST_WORD = 300


def masked(payload: bytes) -> bytes:
    """The same octets of a segment of HTTP, with an `x` for each that is secret, and cut where content begins.

    Heads, boot scripts and the first words of a refusal stay; overlays, images, reports' answers and whatever
    continues an earlier segment go.
    """
    if payload.startswith(_METHODS):
        head, _, _ = payload.partition(_END)
        return without_tokens(payload[: len(head) + len(_END)])
    if not payload.startswith(_ANSWER):
        return b""
    head, _, body = payload.partition(_END)
    kept = payload[: len(head) + len(_END)]
    if body.startswith(_SCRIPT):
        kept = payload
    elif _STATUS.match(payload):
        kept = payload[: len(head) + len(_END) + _LONGEST_WORD]
    return without_tokens(kept)


def without_tokens(text: bytes) -> bytes:
    """The same octets with an `x` for each that belongs to a token; the length stays."""
    plain = _NAMED.sub(lambda match: match[1] + b"x" * len(match[2]), text)
    return _TOKEN.sub(lambda match: b"x" * len(match[0]), plain)


def short_tokens(text: str) -> str:
    """The same for people: `...` for a token."""
    plain = _NAMED.sub(rb"\1...", text.encode(errors="replace"))
    return _TOKEN.sub(b"...", plain).decode(errors="replace")
