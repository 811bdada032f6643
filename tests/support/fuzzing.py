"""Everything that reads bytes of strangers, as one function each: bytes in, a word for what came of them out.

The same targets are fed by chance (`feed`) and by what coverage finds (tests/long/harness.py).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address
from itertools import islice
from random import Random

from provisioner.config import marked
from provisioner.dhcp import codec as dhcp
from provisioner.dhcp.case import Context
from provisioner.dhcp.lease import Leases
from provisioner.dhcp.policy import answer
from provisioner.dhcp.reply import destination
from provisioner.dhcp.report import events_of
from provisioner.dhcp.v6 import codec as dhcp6
from provisioner.dhcp.v6 import policy as policy6
from provisioner.dhcp.v6.case import Context as Context6
from provisioner.dns.codec import EDNS_SIZE, decode
from provisioner.dns.guard import Standing
from provisioner.dns.passage import incoming, passed_on
from provisioner.dns.respond import respond
from provisioner.dns.transfer import transfer
from provisioner.dns.zone import Zones
from provisioner.errors import IntegrityError, ProtocolError
from provisioner.http.report import parse_report
from provisioner.model.boot import TokenStage
from provisioner.model.nodeset import expand
from provisioner.tftp import codec as tftp
from provisioner.trust.sitekey import SiteKey
from provisioner.trust.token import Claims, TokenError, TokenMint
from provisioner.trust.tpm.public import parse_public
from provisioner.trust.tpm.quote import parse_quote, verify_quote
from tests.support import corpus, tpmvectors
from tests.support.corpus import Corpus, variations
from tests.support.packets import demo
from tests.support.packets6 import HEAD, LINK_LOCAL, demo6
from tests.support.resolved import catalogue

Target = Callable[[bytes], str]
"""Decodes one input and names what came out."""

SECONDS_AN_INPUT = 1.0


@dataclass(frozen=True)
class Fuzzed:
    """A target, and honest inputs to begin with."""

    target: Target
    samples: Corpus


def targets() -> Mapping[str, Fuzzed]:
    """Every target by its name. Those that an unknown machine reaches come first."""
    claims = corpus.claims()
    tokens = tuple(_MINT.issue(each).encode() for each in claims)
    return {
        "dhcp": Fuzzed(_DhcpServer(), corpus.dhcp()),
        "dhcpv6": Fuzzed(_dhcp6, corpus.dhcp6(_WORLD6.duid)),
        "tftp": Fuzzed(_tftp, corpus.tftp()),
        "dns": Fuzzed(_dns, corpus.dns()),
        "dns by tcp": Fuzzed(_dns_of_a_secondary, corpus.dns()),
        "replies of forwarders": Fuzzed(_passage, corpus.dns_replies()),
        "reports": Fuzzed(_report, corpus.reports()),
        "tokens": Fuzzed(partial(_token, frozenset(claims)), tokens),
        "keys of a TPM": Fuzzed(_tpm_key, tuple(tpmvectors.vector(f"{name}.pub") for name in _TPM_KEYS)),
        "quotes": Fuzzed(_quote, tuple(tpmvectors.vector(f"{name}.quote") for name in tpmvectors.SIGNERS)),
        "site files": Fuzzed(_yaml, corpus.documents()),
        "node sets": Fuzzed(_node_set, corpus.node_sets()),
    }


def feed(fuzzed: Fuzzed, count: int, seed: int) -> Counter[str]:
    """What came of so many inputs. Whatever a target raises is noted with the input and goes on."""
    outcomes: Counter[str] = Counter()
    for number, data in enumerate(islice(variations(fuzzed.samples, Random(seed)), count)):
        started = time.process_time()
        try:
            outcomes[fuzzed.target(data)] += 1
        except Exception as error:
            error.add_note(f"input {number} of seed {seed}: {data!r}")
            raise
        seconds = time.process_time() - started
        assert seconds < SECONDS_AN_INPUT, f"input {number} of seed {seed} took {seconds:.1f} s: {data!r}"
    return outcomes


@dataclass
class _DhcpServer:
    """All that the DHCP server does with a datagram, without its socket."""

    leases: Leases = field(default_factory=Leases)

    def __call__(self, data: bytes) -> str:
        try:
            message = dhcp.decode(data)
        except ProtocolError:
            return "refused"
        context = Context(_DEMO, _CATALOGUE, IPv4Address("10.77.0.1"), 8080, self.leases, now=1000.0)
        decided = answer(message, context)
        if decided.drop is not None:
            self.leases.drop(decided.drop)
        if decided.keep is not None:
            self.leases.keep(decided.keep)
        if decided.reply is not None:
            dhcp.encode(decided.reply)
            destination(decided.reply)
        list(events_of(message, decided, 1000.0))
        return decided.name


_DEMO = demo(pool="10.77.0.200-10.77.0.203", gateway="10.77.0.254")
_CATALOGUE = catalogue()
_WORLD6 = Context6(demo6(), _CATALOGUE, HEAD)
_ZONES = Zones.of(_DEMO)
_MINT = TokenMint(SiteKey(b"k" * 32))
_ASKED = decode(corpus.FORWARDED)


def _dhcp6(data: bytes) -> str:
    try:
        packet = dhcp6.decode(data)
    except ProtocolError:
        return "refused"
    decided = policy6.answer(packet, LINK_LOCAL, _WORLD6)
    if decided.reply is not None:
        dhcp6.decode(dhcp6.encode(decided.reply))
    return decided.name


def _dns(data: bytes) -> str:
    decision = respond(data, _ZONES)
    assert decision.reply is None or decision.reply[:2] == data[:2]
    assert decision.reply is None or len(decision.reply) <= max(EDNS_SIZE, len(data))
    assert decision.transfer is None
    return decision.label


def _dns_of_a_secondary(data: bytes) -> str:
    decision = respond(data, _ZONES, Standing.SECONDARY, tcp=True)
    if decision.transfer is not None:
        assert all(message[:2] == data[:2] for message in transfer(decision.transfer, _ZONES))
    return decision.label


def _passage(data: bytes) -> str:
    try:
        passage = incoming(data, _ASKED, corpus.FORWARDED_NUMBER)
    except ProtocolError:
        return "refused"
    reply = passed_on(passage, _ASKED, 5, EDNS_SIZE)
    assert reply[:2] == corpus.FORWARDED[:2]
    assert len(reply) <= EDNS_SIZE
    return "kept" if passage.seconds else "passed on"


def _tftp(data: bytes) -> str:
    try:
        return type(tftp.decode(data)).__name__
    except ProtocolError:
        return "refused"


def _report(data: bytes) -> str:
    try:
        return parse_report(data, TokenStage.STAGE1).event
    except ProtocolError:
        return "refused"


def _token(issued: frozenset[Claims], data: bytes) -> str:
    try:
        claims = _MINT.verify(data.decode("latin-1"), now=1000.0)
    except TokenError:
        return "refused"
    # One token has several spellings in Base64, so what counts is what it says.
    assert claims in issued, "a forged token was accepted"
    return "accepted"


_TPM_KEYS = ("ek_rsa", "ek_ecc", "free", *tpmvectors.SIGNERS)
_TPM_IDENTITIES = {tpmvectors.public(name).identity: tpmvectors.vector(f"{name}.pub") for name in _TPM_KEYS}


def _tpm_key(data: bytes) -> str:
    try:
        key = parse_public(data, "the key")
    except ProtocolError:
        return "refused"
    assert _TPM_IDENTITIES.get(key.identity, data) == data, "another key has the name of a known one"
    return "signs" if key.signs_for_its_tpm else "keeps" if key.keeps_for_its_tpm else "useless"


def _quote(data: bytes) -> str:
    try:
        nonce = parse_quote(data).nonce
    except ProtocolError:
        return "refused"
    signature = tpmvectors.vector("ecc.sig")
    try:
        verify_quote(tpmvectors.public("ecc"), data, signature, nonce=nonce, registers=tpmvectors.registers())
    except (ProtocolError, IntegrityError):
        return "not believed"
    assert data == tpmvectors.vector("ecc.quote"), "a forged quote was believed"
    return "believed"


def _yaml(data: bytes) -> str:
    parsed = marked.parse("fuzzed.yaml", data.decode("utf-8", "surrogateescape"))
    marked.plain(parsed.root)
    return "problems" if parsed.problems else "parsed"


def _node_set(data: bytes) -> str:
    with suppress(ValueError):
        expand(data.decode("latin-1"))
        return "expanded"
    return "refused"
