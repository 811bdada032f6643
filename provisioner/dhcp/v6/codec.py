"""DHCPv6 messages to bytes and back: RFC 8415 sections 8, 9 and 21.1, and the options that we take apart."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address

from provisioner.dhcp.v6.message import (
    Association,
    Kind,
    Lent,
    Message,
    Option,
    Options,
    Packet,
    Relay,
    Status,
)
from provisioner.errors import ProtocolError

MAX_SIZE = 4096
"""The largest datagram in octets that is looked at: relays nest, so it may be more than a frame."""

MAX_RELAYS = 8
"""How many relays may nest (HOP_COUNT_LIMIT, RFC 8415 section 7.6)."""

_RELAY = struct.Struct("!BB16s16s")
_OPTION = struct.Struct("!HH")
_IA_NA = struct.Struct("!III")
_IA_ADDRESS = struct.Struct("!16sII")
_WIRE_ONLY = frozenset({Option.IA_NA, Option.STATUS})


def decode(data: bytes) -> Packet:
    """The message in a datagram, out of its relays. ProtocolError says what makes no sense."""
    if len(data) > MAX_SIZE:
        raise ProtocolError(f"{len(data)} octets; at most {MAX_SIZE} are read")
    relays: list[Relay] = []
    while data and data[0] in {Kind.RELAY_FORWARD, Kind.RELAY_REPLY}:
        if len(relays) == MAX_RELAYS:
            raise ProtocolError(f"more than {MAX_RELAYS} relays around one message")
        relay, data = _relay(data)
        relays.append(relay)
    return Packet(_message(data), tuple(relays))


def encode(packet: Packet) -> bytes:
    """The datagram of a packet; its relays become Relay-reply messages around a server's message."""
    message = packet.message
    head = bytes((message.kind,)) + message.transaction.to_bytes(3)
    data = b"".join((head, *_pieces(message.options), *_parts(message.associations, message.status)))
    kind = Kind.RELAY_REPLY if message.kind in {Kind.ADVERTISE, Kind.REPLY} else Kind.RELAY_FORWARD
    for relay in reversed(packet.relays):
        head = _RELAY.pack(kind, relay.hops, relay.link.packed, relay.peer.packed)
        data = b"".join((head, *_pieces(relay.options), _piece(Option.RELAY_MESSAGE, data)))
    return data


def vendor_classes(value: bytes) -> tuple[bytes, ...]:
    """The texts in a vendor class (section 21.16), whose first four octets number the vendor."""
    return texts(value[4:])


def texts(value: bytes) -> tuple[bytes, ...]:
    """The texts of a list with a length before each (user class, section 21.15), as far as it makes sense."""
    found, at = [], 0
    while at + 2 <= len(value):
        stop = at + 2 + int.from_bytes(value[at : at + 2])
        if stop > len(value):
            break
        found.append(value[at + 2 : stop])
        at = stop
    return tuple(found)


def vendor_class(number: int, text: bytes) -> bytes:
    """The value of a vendor class with one text."""
    return number.to_bytes(4) + len(text).to_bytes(2) + text


def domains(names: Iterable[str]) -> bytes:
    """A list of domains in the form of DNS, uncompressed (section 10)."""
    labels = (label.encode() for name in names for label in (*name.split("."), ""))
    return b"".join(bytes((len(label),)) + label for label in labels)


def _relay(data: bytes) -> tuple[Relay, bytes]:
    if len(data) < _RELAY.size:
        raise ProtocolError(f"{len(data)} octets; a relay's message has at least {_RELAY.size}")
    _, hops, link, peer = _RELAY.unpack_from(data)
    options = tuple(_options(data[_RELAY.size :]))
    inner = [value for code, value in options if code == Option.RELAY_MESSAGE]
    if len(inner) != 1:
        raise ProtocolError(f"a relay's message with {len(inner)} messages (option 9) in it")
    rest = tuple(each for each in options if each[0] != Option.RELAY_MESSAGE)
    return Relay(hops, IPv6Address(link), IPv6Address(peer), rest), inner[0]


def _message(data: bytes) -> Message:
    if len(data) < 4:
        raise ProtocolError(f"{len(data)} octets; a message has at least 4")
    options = tuple(_options(data[4:]))
    return Message(
        kind=data[0],
        transaction=int.from_bytes(data[1:4]),
        associations=tuple(_association(value) for code, value in options if code == Option.IA_NA),
        status=_status(options),
        options=tuple(each for each in options if each[0] not in _WIRE_ONLY),
    )


def _options(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        if at + _OPTION.size > len(data):
            raise ProtocolError(f"{len(data) - at} octets are left, too few for an option")
        code, size = _OPTION.unpack_from(data, at)
        at += _OPTION.size + size
        if at > len(data):
            raise ProtocolError(f"option {code} has {size} octets, {at - len(data)} more than there are")
        yield code, data[at - size : at]


def _association(value: bytes) -> Association:
    if len(value) < _IA_NA.size:
        raise ProtocolError(f"an IA_NA of {len(value)} octets; it has at least {_IA_NA.size}")
    iaid, t1, t2 = _IA_NA.unpack_from(value)
    options = tuple(_options(value[_IA_NA.size :]))
    addresses = tuple(_lent(each) for code, each in options if code == Option.IA_ADDRESS)
    return Association(iaid, t1, t2, addresses, _status(options))


def _lent(value: bytes) -> Lent:
    if len(value) < _IA_ADDRESS.size:
        raise ProtocolError(f"an IA address of {len(value)} octets; it has at least {_IA_ADDRESS.size}")
    address, preferred, valid = _IA_ADDRESS.unpack_from(value)
    return Lent(IPv6Address(address), preferred, valid)


def _status(options: Iterable[tuple[int, bytes]]) -> Status | None:
    value = next((value for code, value in options if code == Option.STATUS), None)
    if value is None:
        return None
    if len(value) < 2:
        raise ProtocolError(f"a status of {len(value)} octets; it has at least 2")
    return Status(int.from_bytes(value[:2]), value[2:].decode(errors="replace"))


def _pieces(options: Options) -> Iterator[bytes]:
    return (_piece(code, value) for code, value in options)


def _parts(associations: Iterable[Association], status: Status | None) -> Iterator[bytes]:
    for each in associations:
        addresses = (
            _piece(Option.IA_ADDRESS, _IA_ADDRESS.pack(lent.address.packed, lent.preferred, lent.valid))
            for lent in each.addresses
        )
        head = _IA_NA.pack(each.iaid, each.t1, each.t2)
        yield _piece(Option.IA_NA, b"".join((head, *addresses, *_parts((), each.status))))
    if status is not None:
        yield _piece(Option.STATUS, status.code.to_bytes(2) + status.text.encode())


def _piece(code: int, value: bytes) -> bytes:
    return _OPTION.pack(code, len(value)) + value
