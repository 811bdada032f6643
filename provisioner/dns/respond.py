"""One DNS message in, one decision out: what is replied at once, and what somebody else has to find first."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.dns.codec import Query, decode, encode, format_error
from provisioner.dns.guard import Standing
from provisioner.dns.message import TRANSFERS, Code, Kind, Reply
from provisioner.dns.zone import Zones
from provisioner.errors import ProtocolError

TCP_LIMIT = 65535
DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a message: `reply`, or a query to forward, or a zone to transfer; of nothing, silence.

    `label` is the word under which it is counted.
    """

    label: str
    reply: bytes | None = None
    forward: Query | None = None
    transfer: Query | None = None


def respond(data: bytes, zones: Zones, standing: Standing = Standing.CLIENT, *, tcp: bool = False) -> Decision:
    """The decision about any bytes. Nothing that a client can send raises."""
    try:
        query = decode(data)
    except ProtocolError:
        reply = None if standing is Standing.STRANGER else format_error(data)
        return Decision(Code.FORMAT_ERROR.word if reply else DROPPED, reply)
    code = Code.REFUSED if standing is Standing.STRANGER else query.problem
    if code is not None:
        return _said(query, Reply(code), zones, tcp=tcp)
    if query.question.kind in TRANSFERS:
        return _transfer(query, zones, standing, tcp=tcp)
    reply_of_ours = zones.answer(query.question)
    if reply_of_ours.code is Code.REFUSED and query.recursion and zones.forwards:
        return Decision("forwarded", forward=query)
    return _said(query, reply_of_ours, zones, tcp=tcp)


def _transfer(query: Query, zones: Zones, standing: Standing, *, tcp: bool) -> Decision:
    domain = zones.apexes.get(query.question.name)
    if standing is not Standing.SECONDARY or domain is None:
        return _said(query, Reply(Code.REFUSED), zones, tcp=tcp)
    if tcp:
        return Decision("transferred", transfer=query)
    if query.question.kind == Kind.AXFR:
        # By UDP there is no transfer of whole zones (RFC 5936 section 4.2).
        return _said(query, Reply(Code.REFUSED), zones, tcp=tcp)
    # The SOA alone says that there is more, and to ask again by TCP (RFC 1995 section 2).
    return _said(query, Reply(Code.NO_ERROR, (zones.authority(query.question.name, domain),)), zones, tcp=tcp)


def _said(query: Query, reply: Reply, zones: Zones, *, tcp: bool) -> Decision:
    limit = TCP_LIMIT if tcp else query.udp_limit
    return Decision(reply.code.word, encode(query, reply, limit, recursive=zones.forwards))
