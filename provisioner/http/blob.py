"""Files from the store: sent by the kernel, in ranges, and a word when the last byte is out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from time import monotonic
from typing import BinaryIO

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.web_request import BaseRequest

from provisioner.http.conditions import Part
from provisioner.http.sender import Sender

# Called with the bytes that went out, or None where the client went away, and the seconds that it took.
Sent = Callable[[int | None, float], None]


_PIECE = 64 << 10


class Pieces(web.StreamResponse):
    """Bytes that go out as the client takes them: one that is slow has a piece of them waiting, and not a copy."""

    def __init__(self, content: bytes, *, content_type: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(headers=headers)
        self.content_type = content_type
        self.content_length = len(content)
        self._content = content

    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter | None:
        """Send it; aiohttp calls this once a request."""
        writer = await super().prepare(request)
        if request.method != hdrs.METH_HEAD:
            content = memoryview(self._content)
            for start in range(0, len(content), _PIECE):
                await self.write(content[start : start + _PIECE])
        return writer


class Blob(web.StreamResponse):
    """A part of a file that never changes, and of `tail`, which follows it.

    `turn` is entered while its bytes are under way.
    """

    def __init__(
        self,
        path: Path,
        digest: str,
        part: Part | None,
        *,
        sender: Sender,
        sent: Sent,
        turn: AbstractContextManager[object] | None = None,
        tail: bytes = b"",
    ) -> None:
        # A file named by its content never changes: whoever fetches it can check it against its digest.
        headers = {hdrs.ETAG: f'"{digest}"', "X-Digest": digest, hdrs.ACCEPT_RANGES: "bytes"}
        status = 304 if part is None else 206 if part.partial else 200
        super().__init__(status=status, headers=headers)
        if part is not None:
            self.content_type = "application/octet-stream"
            self.content_length = part.count
        if part is not None and part.partial:
            end = part.start + part.count - 1
            self.headers[hdrs.CONTENT_RANGE] = f"bytes {part.start}-{end}/{part.size}"
        self._path, self._part, self._tail = path, part, tail
        self._sender, self._sent = sender, sent
        self._turn = turn or nullcontext()

    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter | None:
        """Send the file; aiohttp calls this once a request and gets it back when all is sent."""
        if self._part is None or not self._part.count or request.method == hdrs.METH_HEAD:
            return await super().prepare(request)
        started = monotonic()
        sent: int | None = None
        try:
            with self._turn:
                writer = await self._stream(request, self._part)
            sent = self._part.count
        finally:
            self._sent(sent, monotonic() - started)
        return writer

    async def _stream(self, request: BaseRequest, part: Part) -> AbstractStreamWriter | None:
        file = await asyncio.to_thread(self._path.open, "rb")
        try:
            writer = await super().prepare(request)
            transport = request.transport
            if transport is None or transport.is_closing():
                raise ConnectionResetError("the client went away")
            size = part.size - len(self._tail)
            if in_file := max(min(part.start + part.count, size) - part.start, 0):
                await self._sender.send(transport, file, part.start, in_file)
            if after := self._tail[max(part.start - size, 0) : max(part.start + part.count - size, 0)]:
                await super().write(after)
            await super().write_eof()
        finally:
            _close_behind(file)
        return writer


def _close_behind(file: BinaryIO) -> None:
    # Closing can wait for a slow disk, and nobody waits for it.
    asyncio.get_running_loop().run_in_executor(None, file.close)
