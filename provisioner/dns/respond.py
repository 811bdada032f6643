"""One DNS message in, one out: decode, ask the zones, encode."""

from __future__ import annotations

from provisioner.dns.codec import decode, encode, format_error
from provisioner.dns.message import Reply
from provisioner.dns.zone import Zones
from provisioner.errors import ProtocolError

TCP_LIMIT = 65535


def respond(data: bytes, zones: Zones, *, tcp: bool = False) -> bytes | None:
    """The reply to any bytes; None for what must not be answered. Nothing that a client can send raises."""
    try:
        query = decode(data)
    except ProtocolError:
        return format_error(data)
    reply = Reply(query.problem) if query.problem else zones.answer(query.question)
    return encode(query, reply, TCP_LIMIT if tcp else query.udp_limit)
