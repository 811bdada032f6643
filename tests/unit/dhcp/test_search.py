from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from dnslib.buffer import Buffer
from dnslib.dns import DNSBuffer
from hypothesis import given
from hypothesis import strategies as st

from provisioner.dhcp.case import Context
from provisioner.dhcp.codec import decode, encode
from provisioner.dhcp.lease import Leases
from provisioner.dhcp.policy import answer
from provisioner.dhcp.search import domain_search
from tests.support.packets import IPXE_BIOS, demo
from tests.support.resolved import catalogue

LABELS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=20)
DOMAINS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)


def test_domains_are_names_one_behind_the_other() -> None:
    assert domain_search(["cluster.local", "example.org"]) == b"\7cluster\5local\0\7example\3org\0"


def test_a_domain_comes_once_in_whatever_capitals() -> None:
    assert domain_search(["Cluster.local", "cluster.LOCAL"]) == b"\7cluster\5local\0"


@given(st.lists(DOMAINS, max_size=30))
def test_what_is_sent_reads_as_the_first_domains_that_fit(domains: list[str]) -> None:
    packed = domain_search(domains)

    buffer: Buffer = DNSBuffer(packed)
    read = []
    while buffer.remaining():
        read.append(str(buffer.decode_name()).removesuffix("."))
    assert len(packed) <= 255
    assert read == [each for each in dict.fromkeys(domains) if each in read]
    assert read or not domains


@pytest.mark.parametrize(
    ("search", "expected"),
    [([], None), (["example.org", "cluster.local"], b"\7cluster\5local\0\7example\3org\0")],
)
def test_a_reply_has_the_search_domains_of_the_network_behind_its_own(
    search: list[str], expected: bytes | None
) -> None:
    context = Context(demo(search=search), catalogue(), IPv4Address("10.77.0.1"), 8080, Leases(), now=1000.0)

    reply = answer(decode(IPXE_BIOS.datagram(1)), context).reply

    assert reply is not None
    assert decode(encode(reply)).options.get(119) == expected
