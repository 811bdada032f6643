"""What the head node signs, and what it will not vouch for."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping

from aiohttp import web

from provisioner.boot.script import Language
from provisioner.boot.unified import as_one
from provisioner.http.site import HttpSite
from provisioner.model.boot import Boot, BootRecord, Refused
from provisioner.model.image import Artifact, Generation
from provisioner.model.written import TrustMode
from provisioner.trust.anchor import anchor, anchor_digest
from provisioner.trust.seal import broken, unsealed
from provisioner.trust.token import Claims

_NONCE = re.compile(r"[0-9a-f]{32}")


class Vouching:
    """Signs for the site, as far as it has keys."""

    def __init__(self, site: HttpSite) -> None:
        self._site = site

    def anchor(self, record: BootRecord, artifact: Artifact) -> bytes:
        """What follows a stage 1: the keys that it checks signatures with."""
        if self._site.signing is None:
            return b""
        return anchor(self._site.signing, record.generation, behind=artifact.size, authority=self._authority())

    def as_one(self, decision: Boot, language: Language) -> Boot | Refused:
        """A boot with the unified kernel image of its generation, where that has the keys of today in it."""
        keys, generation = self._site.signing, decision.generation
        usable = (
            generation.uki is not None
            and keys is not None
            and generation.uki_anchor == anchor_digest(keys, generation.name, authority=self._authority())
        )
        return as_one(decision, usable=usable, language=language)

    def _authority(self) -> bytes:
        tls = self._site.tls
        return tls.authority(self._site.now()) if tls is not None else b""

    def objection(self, generation: Generation, nonce: str | None) -> str:
        """Why a boot of a generation does not go on; empty where it does."""
        if self._site.catalogue().is_revoked(generation):
            return f"{generation.name} is revoked"
        if nonce is None and self._required:
            return f"the stage 1 of {generation.name} does not check signatures: build the image again"
        return self.fault(generation)

    def fault(self, generation: Generation) -> str:
        """Why the site does not vouch for a generation; empty where it does, or need not."""
        if self._site.signing is None:
            return ""
        judge = unsealed if self._required else broken
        return judge(generation, self._site.signing)

    def sheet(self, lines: Mapping[str, object], claims: Claims, nonce: str | None) -> str:
        """A boot sheet, signed where a nonce came with the request: 32 hexadecimal digits, else HTTPBadRequest."""
        if nonce is None or self._site.signing is None:
            return _text(lines)
        if _NONCE.fullmatch(nonce) is None:
            raise web.HTTPBadRequest(text="a nonce has 32 hexadecimal digits\n")
        # The first line says what is signed, so that nothing else that the site signs can pass for a sheet.
        text = _text({"what": "sheet", **lines, "line_sha256": claims.line, "nonce": nonce})
        return text + f"signature={b64encode(self._site.signing.sign(text.encode())).decode()}\n"

    @property
    def _required(self) -> bool:
        return self._site.snapshot().site.trust is TrustMode.REQUIRED


def _text(lines: Mapping[str, object]) -> str:
    return "".join(f"{key}={value}\n" for key, value in lines.items())
