"""Files from the store: sendfile, ranges, and a word when the last byte is out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import monotonic

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.web_request import BaseRequest

# Called with the bytes that went out, or None where the client went away, and the seconds that it took.
Sent = Callable[[int | None, float], None]


def check_conditions(request: web.Request, size: int) -> None:
    """Refuse what a file of this many bytes cannot answer, with a body, which FileResponse would leave out.

    HTTPRequestRangeNotSatisfiable names the size (RFC 9110 section 15.5.17), HTTPPreconditionFailed the header.
    """
    if request.headers.keys() & {hdrs.IF_MATCH, hdrs.IF_UNMODIFIED_SINCE}:
        raise web.HTTPPreconditionFailed(text="a file of the store never changes: ask without a condition\n")
    try:
        start = request.http_range.start
    except ValueError:
        start = size
    if start is not None and start >= size:
        given = request.headers[hdrs.RANGE]
        headers = {hdrs.CONTENT_RANGE: f"bytes */{size}"}
        text = f"the file has {size} bytes; {given!r} is no range of them\n"
        raise web.HTTPRequestRangeNotSatisfiable(text=text, headers=headers)


class Blob(web.FileResponse):
    """A file response that tells how its transfer ended."""

    def __init__(self, path: Path, digest: str, sent: Sent) -> None:
        # A file named by its content never changes: whoever fetches it can check it against its digest.
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
