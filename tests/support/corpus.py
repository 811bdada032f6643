"""Inputs for fuzzing: what honest clients and people write, and endless variations of it.

Everything follows from a seed, so an input that broke something can be made again.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv6Address
from random import Random

from dnslib import EDNS0, RR, DNSHeader, DNSQuestion, DNSRecord

from provisioner.dhcp.codec import encode
from provisioner.dhcp.message import Message, Op
from provisioner.dhcp.v6 import codec as codec6
from provisioner.dhcp.v6.message import Option, Packet, Relay
from provisioner.model.boot import TokenStage
from provisioner.trust.token import Claims
from tests.support import packets6
from tests.support.packets import CLIENTS, MAC

Corpus = tuple[bytes, ...]

LONGEST = 1700
"""No variation is longer, in bytes: more than any datagram that the decoders accept."""

# Lengths, signs and separators that decoders are most often wrong about.
_TELLING = bytes((0, 1, 2, 3, 5, 63, 64, 127, 128, 192, 254, 255)) + b"\n=.[]-,!&^@/{}:'\"#\x1f\x85"


def variations(corpus: Corpus, random: Random) -> Iterator[bytes]:
    """Samples of the corpus, each changed in one to three ways, and now and then pure noise; without end."""
    while True:
        sample = random.choice(corpus)
        for _ in range(random.randint(1, 3)):
            sample = random.choice(_CHANGES)(sample, corpus, random)
        yield sample[:LONGEST]


def dhcp() -> Corpus:
    """What firmware and systems send (tests.support.packets), and a long option in pieces."""
    kinds = range(1, 9)
    packets = [client.datagram(kind) for client in CLIENTS for kind in kinds]
    asked = {50: bytes((10, 77, 0, 11)), 54: bytes((10, 77, 0, 1)), 82: bytes(40)}
    packets += [client.datagram(3, extra=asked, giaddr=bytes((10, 77, 0, 2))) for client in CLIENTS]
    long = Message(
        op=Op.REQUEST, xid=1, chaddr=bytes.fromhex(MAC.replace(":", "")), options={53: b"\1", 61: b"x" * 600}
    )
    return (*packets, encode(long))


def dhcp6(server: bytes) -> Corpus:
    """What clients ask the server with this DUID, and any, straight and through one relay and three."""
    asked = [
        client.message(kind, server=named, wanted="fd77::11")
        for client in packets6.ALL
        for kind in range(1, 12)
        for named in (None, server)
    ]
    links = ((Option.INTERFACE, b"ge0"), (Option.LINK_ADDRESS, b"\0\1" + packets6.duid_ll()[4:]))
    relay = Relay(0, IPv6Address("fd77::2"), packets6.LINK_LOCAL, links)
    return tuple(codec6.encode(Packet(each, (relay,) * times)) for each in asked for times in (0, 1, 3))


def tftp() -> Corpus:
    """Requests with and without options, acknowledgements, data, errors and option acknowledgements."""
    options = b"blksize\0001468\0tsize\0000\0windowsize\00016\0"
    requests = [b"\0" + bytes((code,)) + b"undionly.kpxe\0octet\0" for code in (1, 2)]
    return (
        *requests,
        *(each + options for each in requests),
        b"\0\4\0\1",
        b"\0\3\0\1data",
        b"\0\5\0\0no\0",
        b"\0\6" + options,
    )


def dns() -> Corpus:
    """Queries for names that exist and do not, with and without EDNS, replies, and what RFC 9267 warns of."""
    names = ("n001.cluster.local", "n001-eth1.cluster.local", "11.0.77.10.in-addr.arpa", "cluster.local", "x.org")
    queries = [
        DNSRecord.question(name, kind)
        for name in names
        for kind in ("A", "AAAA", "PTR", "ANY", "SOA", "AXFR", "IXFR")
    ]
    edns = [DNSRecord.question(name, "A") for name in names]
    for query in edns:
        query.add_ar(EDNS0(udp_len=4096, flags="do"))
    for number, query in enumerate((*queries, *edns)):
        # dnslib's own numbers are random, and a seed has to be enough to make an input again.
        query.header.id = number
    return (*(each.pack() for each in (*queries, *edns)), queries[0].reply().pack(), *dns_mistakes())


def dns_mistakes() -> Corpus:
    """Queries with the mistakes of RFC 9267, section by section."""
    header = struct.pack("!6H", 1, 0x0100, 1, 0, 0, 0)
    end = b"\0\1\0\1"
    return (
        # 2: pointers to themselves, forwards, behind the message, and a chain of them.
        header + b"\xc0\x0c" + end,
        header + b"\1a\xc0\x0c" + end,
        header + b"\xc0\x0e\xc0\x0c" + end,
        header + b"\xff\xff" + end,
        header + b"".join(struct.pack("!H", 0xC00C + 2 * n) for n in range(1, 100)) + end,
        # 3: labels of reserved types, and lengths beyond 63 read as a signed number.
        header + b"\x40abc\0" + end,
        header + b"\x80abc\0" + end,
        header + b"\xbf" + b"a" * 200 + b"\0" + end,
        # 3: a name of more than 255 octets.
        header + (b"\x3f" + b"a" * 63) * 5 + b"\0" + end,
        # 4: no end of the name, and a zero inside of a label.
        header + b"\7cluster\5local",
        header + b"\5a\0b\0c\7cluster\5local\0" + end,
        # 5: a length of data behind the end of the message.
        struct.pack("!6H", 1, 0x0100, 1, 0, 0, 1) + b"\1a\0" + end + b"\0\0\x29\x10\0\0\0\0\0\xff\xff",
        # 6: counts that promise what does not follow.
        struct.pack("!6H", 1, 0x0100, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF) + b"\1a\0" + end,
        struct.pack("!6H", 1, 0x0100, 0, 0, 0, 0),
    )


FORWARDED_NUMBER = 0x5AA5
FORWARDED = bytes(DNSRecord(DNSHeader(id=7, rd=1), q=DNSQuestion("www.example.org")).pack())
"""A question of a client that a forwarder is asked under `FORWARDED_NUMBER`."""


def dns_replies() -> Corpus:
    """What forwarders reply to `FORWARDED`, and the same with the mistakes of RFC 9267 behind the question."""
    asked = DNSRecord.parse(FORWARDED)
    asked.header.id = FORWARDED_NUMBER
    zone = "example.org. 900 SOA ns.example.org. root.example.org. 1 2 3 4 120"
    texts = (
        "www.example.org. 300 A 192.0.2.1",
        "www.example.org. 30 CNAME cdn.example.net.\ncdn.example.net. 60 A 192.0.2.2",
        'www.example.org. 60 TXT "text"\nexample.org. 70 MX 10 mx.example.org.',
    )
    replies = []
    for text in texts:
        reply = asked.replyZone(text)
        reply.add_ar(*RR.fromZone("ns.example.org. 60 A 192.0.2.53"), EDNS0(udp_len=1232))
        replies.append(reply)
    missing = asked.reply()
    missing.header.rcode = 3
    missing.add_auth(*RR.fromZone(zone))
    head = struct.pack("!6H", FORWARDED_NUMBER, 0x8180, 1, 2, 1, 1) + FORWARDED[12:]
    behind = tuple(head + mistake[12:-4] + b"\0\1\0\1\0\0\0\x3c\0\4\1\2\3\4" for mistake in dns_mistakes())
    return (*(bytes(each.pack()) for each in (*replies, missing)), *behind)


def reports() -> Corpus:
    """Reports of stage 1 and of running systems."""
    facts = "event=system.report\nuptime=69.8\nstate=degraded\nfailed=a.service b.service\nkernel=6.1.0\n"
    started = "event=stage1.started\nuptime=11.3\n"
    return (facts.encode(), started.encode(), b"event=failed\nuptime=1e3\nreason=no \xc3\xa4ddress\n")


def claims() -> tuple[Claims, ...]:
    """What tokens of every stage say; every second one has expired."""
    return tuple(
        Claims("n001", MAC, "ab" * 8, "debian-12@1", "cd" * 32, stage, expires, ("10.0.1.1",))
        for stage in TokenStage
        for expires in (0, 2**31)
    )


def documents() -> Corpus:
    """Site files, and what YAML can do beyond them."""
    return (
        b"cluster: demo\nnetworks:\n  provision: {cidr: 10.0.0.0/16, dns: [9.9.9.9]}\n",
        b"nodes:\n  n[001-004]:\n    groups: [compute]\n    interfaces: {eth0: {ip: 10.0.1.1+}}\n",
        b'nodes:\n  n001: {interfaces: {eth0: {mac: "52:54:00:00:00:01"}}}  # first\n',
        b"a: &x [1, 2]\nb: *x\n<<: {c: |\n  text\n}\n",
        b"--- !!map\n? {a: b}\n: >-\n  folded\n...\n---\nsecond\n",
        "umlaut: \xe4\x85\u2028 '\U0001f600'\n".encode(),
    )


def node_sets() -> Corpus:
    """Node sets in all their forms."""
    return (
        b"n[001-004,010]",
        b"r[1-2]n[1-8/2]",
        b"n[1-9]!n3",
        b"n[1-9]&n[5-20],m1",
        b"a^b",
        b"n[0-9][0-9]",
        b"r1[08-11]n[8-11]0",
        b"@compute!@rack:r[1-2],@*&@rack:*",
        b"n0*!n?0[1-3]*",
        b"n001",
    )


_Change = Callable[[bytes, Corpus, Random], bytes]


def _flip_bits(data: bytes, _corpus: Corpus, random: Random) -> bytes:
    changed = bytearray(data or b"\0")
    for _ in range(random.randint(1, 8)):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _put_telling_bytes(data: bytes, _corpus: Corpus, random: Random) -> bytes:
    changed = bytearray(data or b"\0")
    for _ in range(random.randint(1, 4)):
        changed[random.randrange(len(changed))] = random.choice(_TELLING)
    return bytes(changed)


def _truncate(data: bytes, _corpus: Corpus, random: Random) -> bytes:
    return data[: random.randint(0, len(data))]


def _insert(data: bytes, _corpus: Corpus, random: Random) -> bytes:
    at = random.randint(0, len(data))
    return data[:at] + random.randbytes(random.randint(1, 40)) + data[at:]


def _repeat(data: bytes, _corpus: Corpus, random: Random) -> bytes:
    start = random.randint(0, len(data))
    piece = data[start : start + random.randint(1, 40)]
    return data[:start] + piece * random.randint(2, 30) + data[start:]


def _remove(data: bytes, _corpus: Corpus, random: Random) -> bytes:
    start = random.randint(0, len(data))
    return data[:start] + data[start + random.randint(1, 20) :]


def _splice(data: bytes, corpus: Corpus, random: Random) -> bytes:
    other = random.choice(corpus)
    return data[: random.randint(0, len(data))] + other[random.randint(0, len(other)) :]


def _noise(_data: bytes, _corpus: Corpus, random: Random) -> bytes:
    return random.randbytes(random.randint(0, 600))


# Noise rarely gets past the first check of a decoder, so it is one change among many.
_CHANGES: Sequence[_Change] = (
    *(_flip_bits, _put_telling_bytes, _truncate, _insert, _repeat, _remove, _splice),
    *(_flip_bits, _put_telling_bytes, _remove, _noise),
)
