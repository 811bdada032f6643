"""A million hostile inputs for every decoder: only the documented error may come out, and soon.

Two processes take half of the inputs each. A failure names the seed of its half and the input, which
`variations(samples, Random(seed))` makes again.
"""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address
from itertools import islice
from multiprocessing import get_context
from random import Random

import pytest

from provisioner.config import marked
from provisioner.dhcp import codec as dhcp
from provisioner.dhcp.case import Context
from provisioner.dhcp.lease import Leases
from provisioner.dhcp.policy import answer
from provisioner.dhcp.reply import destination
from provisioner.dhcp.report import events_of
from provisioner.dns.respond import respond
from provisioner.dns.zone import Zones
from provisioner.errors import ProtocolError
from provisioner.http.report import parse_report
from provisioner.model.boot import TokenStage
from provisioner.model.nodeset import expand
from provisioner.tftp import codec as tftp
from provisioner.trust.sitekey import SiteKey
from provisioner.trust.token import Claims, TokenError, TokenMint
from tests.support import corpus
from tests.support.corpus import Corpus, variations
from tests.support.packets import demo
from tests.support.resolved import catalogue

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

MILLION = 1_000_000
SEED = 20_077
SECONDS_AN_INPUT = 1.0
MEMORY = 2 << 30
_PROCESSES = 2

Target = Callable[[bytes], str]
"""Decodes one input and names what came out."""


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
_ZONES = Zones.of(_DEMO)
_MINT = TokenMint(SiteKey(b"k" * 32))


def _dns(data: bytes) -> str:
    reply = respond(data, _ZONES)
    assert reply is None or reply[:2] == data[:2]
    return "silence" if reply is None else f"code {reply[3] & 15}"


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


def _yaml(data: bytes) -> str:
    parsed = marked.parse("fuzzed.yaml", data.decode("utf-8", "surrogateescape"))
    marked.plain(parsed.root)
    return "problems" if parsed.problems else "parsed"


def _node_set(data: bytes) -> str:
    with suppress(ValueError):
        expand(data.decode("latin-1"))
        return "expanded"
    return "refused"


def test_dhcp_datagrams(capsys: pytest.CaptureFixture[str]) -> None:
    fuzz("dhcp", _DhcpServer(), corpus.dhcp(), capsys=capsys)


def test_tftp_datagrams(capsys: pytest.CaptureFixture[str]) -> None:
    fuzz("tftp", _tftp, corpus.tftp(), capsys=capsys)


def test_dns_datagrams(capsys: pytest.CaptureFixture[str]) -> None:
    fuzz("dns", _dns, corpus.dns(), capsys=capsys)


def test_reports_of_nodes(capsys: pytest.CaptureFixture[str]) -> None:
    fuzz("reports", _report, corpus.reports(), capsys=capsys)


def test_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    genuine = corpus.claims()
    samples = tuple(_MINT.issue(each).encode() for each in genuine)
    fuzz("tokens", partial(_token, frozenset(genuine)), samples, capsys=capsys)


def test_site_files(capsys: pytest.CaptureFixture[str]) -> None:
    fuzz("site files", _yaml, corpus.documents(), capsys=capsys, count=MILLION // 10)


def test_node_sets(capsys: pytest.CaptureFixture[str]) -> None:
    fuzz("node sets", _node_set, corpus.node_sets(), capsys=capsys, count=MILLION // 10)


def fuzz(
    name: str, target: Target, samples: Corpus, *, capsys: pytest.CaptureFixture[str], count: int = MILLION
) -> None:
    """Feed `count` inputs to a target, half of them in each of two processes, and print what came out."""
    outcomes: Counter[str] = Counter()
    # Forked: the children have the targets already, and the parent has no threads yet.
    with ProcessPoolExecutor(_PROCESSES, get_context("fork"), _limit_memory) as pool:
        seeds = range(SEED, SEED + _PROCESSES)
        for part in pool.map(partial(_feed, target, samples, count // _PROCESSES), seeds):
            outcomes += part
    assert outcomes.total() == count
    assert len(outcomes) > 1, "every input ended in the same way: nothing behind the first check was tested"
    shown = ", ".join(f"{what} {number}" for what, number in outcomes.most_common())
    with capsys.disabled():
        print(f"\n{name}: {count} inputs from seed {SEED}: {shown}")


def _limit_memory() -> None:
    # An input that asks for all memory must end its process and not the machine.
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def _feed(target: Target, samples: Corpus, count: int, seed: int) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    for number, data in enumerate(islice(variations(samples, Random(seed)), count)):
        started = time.process_time()
        try:
            outcomes[target(data)] += 1
        except Exception as error:
            error.add_note(f"input {number} of seed {seed}: {data!r}")
            raise
        seconds = time.process_time() - started
        assert seconds < SECONDS_AN_INPUT, f"input {number} of seed {seed} took {seconds:.1f} s: {data!r}"
    return outcomes
