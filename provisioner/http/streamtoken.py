"""What a node whose root streams needs: where to read it, what it must find there, and the token for it."""

from __future__ import annotations

from dataclasses import replace

from provisioner.http.site import HttpSite
from provisioner.model.boot import TokenStage
from provisioner.model.image import Generation
from provisioner.trust.token import Claims

HEADER = "X-Stream-Token"
"""The header of an answer to a report that carries a fresh token: a rotation of keys must not end a stream."""


def stream_lines(site: HttpSite, claims: Claims, generation: Generation) -> dict[str, object]:
    """The lines of the boot sheet for a root that streams; none where the image or the site cannot do it."""
    port = site.snapshot().site.ports.nbd
    if generation.verity is None or not port:
        return {}
    return {
        "stream_port": port,
        "stream_token": stream_token(site, claims),
        "verity_size": generation.verity.size,
        "verity_root": generation.verity_root,
    }


def stream_token(site: HttpSite, claims: Claims) -> str:
    """The token of the stream of a boot, from any other token of it."""
    expires = int(site.now()) + TokenStage.STREAM.lifetime
    return site.mint.issue(replace(claims, stage=TokenStage.STREAM, expires=expires))
