"""Clients that want to hear, before they send a body, that it is welcome (RFC 9110 section 10.1.1)."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import HttpVersion11, web

WELCOME = b"HTTP/1.1 100 Continue\r\n\r\n"


async def expect(request: web.Request) -> None:
    """Say that the body may come; 417 for any other wish, whose words are not repeated: they may be no text."""
    if request.version != HttpVersion11:
        return
    if request.headers.get("Expect", "").lower() != "100-continue":
        raise web.HTTPExpectationFailed(text="nothing but 100-continue can be expected here\n")
    writer = request.writer
    await writer.write(WELCOME)
    # It is not part of the answer, whose length is counted.
    writer.output_size = 0


def expecting(routes: Iterable[web.RouteDef]) -> list[web.RouteDef]:
    """Routes whose clients are told so."""
    return [
        web.route(each.method, each.path, each.handler, **{**each.kwargs, "expect_handler": expect})
        for each in routes
    ]
