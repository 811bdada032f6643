"""Stage-bound tokens: what a machine may fetch, proven by the request itself.

A token names node, boot, generation, revision, stage and expiry and carries an HMAC-SHA256 (RFC 2104) under
a key derived from the site key, so any daemon of the site verifies it without state. Whether its stage is
still open is the ledger's business (boot.ledger).
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from dataclasses import dataclass

from provisioner.errors import ProvisionerError
from provisioner.model.boot import TokenStage
from provisioner.trust.sitekey import SiteKey

_SEPARATOR = "\x1f"
_MAX_TEXT = 1024


class TokenError(ProvisionerError):
    """A token that is malformed, forged or expired."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says. `generation` is `NAME@NUMBER`, `expires` Unix seconds.

    `sources` are the addresses that the boot uses: the one that asked for its script, and those of its interface.
    `line` is the digest of the kernel line that the script gave (`boot.script.line_digest`), where it matters.
    """

    node: str
    mac: str
    boot: str
    generation: str
    revision: str
    stage: TokenStage
    expires: int
    sources: tuple[str, ...]
    line: str = ""


class TokenMint:
    """Issues and verifies the tokens of one site.

    `epoch` tells which key signs (trust.tokenepoch): tokens of that epoch and of the one before it are good.
    """

    def __init__(self, key: SiteKey, epoch: Callable[[], int] = lambda: 1) -> None:
        self._site_key = key
        self._epoch = epoch
        self._keys: dict[int, bytes] = {}

    def issue(self, claims: Claims) -> str:
        """The token of these claims: safe in a URL path and on a kernel line."""
        fields = (
            claims.node,
            claims.mac,
            claims.boot,
            claims.generation,
            claims.revision,
            claims.stage.value,
            str(claims.expires),
            ",".join(claims.sources),
            # Running nodes have tokens without it, and one that says nothing of it stays short.
            *([claims.line] if claims.line else []),
        )
        payload = _SEPARATOR.join(fields).encode()
        return _encode(payload) + "." + _encode(self._sign(payload, self._epoch()))

    def verify(self, text: str, *, now: float) -> Claims:
        """The claims of a genuine token that is not past its expiry; TokenError tells what is wrong with it."""
        head, _, tail = text.partition(".")
        if len(text) > _MAX_TEXT or not tail:
            raise TokenError("this is not a token")
        payload, signature = _decode(head), _decode(tail)
        newest = self._epoch()
        if not any(hmac.compare_digest(signature, self._sign(payload, each)) for each in (newest, newest - 1)):
            raise TokenError("the token was not issued by this site, or was altered")
        claims = _parse(payload)
        if now > claims.expires:
            raise TokenError(f"the token expired {now - claims.expires:.0f} s ago")
        return claims

    def _sign(self, payload: bytes, epoch: int) -> bytes:
        return hmac.new(self._key(epoch), payload, hashlib.sha256).digest()

    def _key(self, epoch: int) -> bytes:
        if epoch not in self._keys:
            # A rotation is rare; what is kept is the two that are good.
            self._keys = {number: key for number, key in self._keys.items() if abs(number - epoch) <= 1}
            self._keys[epoch] = self._site_key.derive("token", str(epoch))
        return self._keys[epoch]


def _parse(payload: bytes) -> Claims:
    # Signed by this site, so the shape is ours; an older version's may differ all the same.
    try:
        node, mac, boot, generation, revision, stage, expires, sources, *line = payload.decode().split(_SEPARATOR)
        stages = TokenStage(stage), int(expires)
        return Claims(node, mac, boot, generation, revision, *stages, tuple(sources.split(",")), *line)
    except (ValueError, TypeError):
        raise TokenError("the token has a form that this version does not know") from None


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (Base64Error, ValueError):
        raise TokenError("this is not a token") from None
    # The decoder leaves out characters that it does not know; a token has one spelling only.
    if _encode(data) != text:
        raise TokenError("this is not a token")
    return data
