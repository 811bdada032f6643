"""Files from the store: sendfile, ranges, and a word when the last byte is out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import monotonic

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.web_request import BaseRequest

# Called with the bytes that went out, or None where the client went away, and the seconds that it took.
Sent = Callable[[int | None, float], None]


class Blob(web.FileResponse):
    """A file response that tells how its transfer ended."""

    def __init__(self, path: Path, digest: str, sent: Sent) -> None:
        # A file named by its content never changes, so its digest is the strongest entity tag there is.
        headers = {"Content-Type": "application/octet-stream", "X-Digest": digest}
        super().__init__(path, headers=headers)
        self._sent = sent

    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter | None:
        """Send the file; aiohttp calls this once a request and gets it back when all is sent."""
        started = monotonic()
        sent: int | None = None
        try:
            writer = await super().prepare(request)
            sent = self.content_length
        finally:
            if request.method == "GET":
                self._sent(sent, monotonic() - started)
        return writer
