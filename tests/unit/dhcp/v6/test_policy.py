from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Address
from uuid import UUID

import pytest
from hypothesis import given

from provisioner.dhcp.policy import LEASE_SECONDS
from provisioner.dhcp.v6.case import Context
from provisioner.dhcp.v6.codec import decode, domains, encode, vendor_class
from provisioner.dhcp.v6.message import Kind, Lent, Message, Option, Packet, Relay, StatusCode
from provisioner.dhcp.v6.policy import Answer, answer
from provisioner.model.event import Level
from provisioner.model.snapshot import Snapshot
from tests.support.packets import MAC, interface, node, snapshot
from tests.support.packets import UUID as MACHINE
from tests.support.packets6 import (
    HEAD,
    HTTP,
    IPXE,
    LINK_LOCAL,
    MINE,
    NOBODY,
    PXE,
    SYSTEM,
    Firmware6,
    demo6,
    duid_ll,
    duid_llt,
    packets,
    sources,
)
from tests.support.resolved import catalogue

STRANGER = "52:54:00:99:99:99"
OTHER = "fd77::99"
RELAY = Relay(0, IPv6Address("fd77::2"), NOBODY, ((Option.INTERFACE, b"ge0"),))


def world(site: Snapshot | None = None, server: IPv6Address = HEAD) -> Context:
    return Context(site or demo6(), catalogue(), server)


def ask(
    message: Message,
    *,
    source: IPv6Address = NOBODY,
    context: Context | None = None,
    relays: tuple[Relay, ...] = (),
) -> Answer:
    """The answer to a message as it comes off the wire."""
    return answer(decode(encode(Packet(message, relays))), source, context or world())


def said(decided: Answer) -> Message:
    assert decided.reply is not None, decided.reason
    return decided.reply.message


def own() -> bytes:
    return world().duid


def to_us(kind: Kind, *, wanted: str | None = None, iaids: tuple[int, ...] = (7,)) -> Answer:
    return ask(SYSTEM.message(kind, server=own(), wanted=wanted, iaids=iaids))


def test_a_node_is_offered_the_address_that_it_reserves() -> None:
    decided = ask(SYSTEM.message(Kind.SOLICIT))
    reply = said(decided)

    assert (reply.kind, reply.transaction, decided.name, decided.node) == (
        Kind.ADVERTISE,
        0x7A6B5C,
        "advertise",
        "n001",
    )
    (association,) = reply.associations
    assert association.addresses == (Lent(MINE, LEASE_SECONDS, LEASE_SECONDS),)
    assert (association.iaid, association.t1, association.t2) == (7, LEASE_SECONDS // 2, LEASE_SECONDS * 4 // 5)
    assert reply.option(Option.CLIENT) == duid_llt()
    assert reply.option(Option.SERVER) == own()
    assert reply.option(Option.PREFERENCE) == b"\xff"
    assert reply.option(Option.DNS) == HEAD.packed
    assert reply.option(Option.DOMAINS) == domains(["cluster.local"])


def test_a_request_gets_what_was_offered() -> None:
    reply = said(to_us(Kind.REQUEST, wanted=str(MINE)))

    assert (reply.kind, reply.associations) == (
        Kind.REPLY,
        said(ask(SYSTEM.message(Kind.SOLICIT))).associations,
    )
    assert reply.option(Option.PREFERENCE) is None


def test_a_client_that_wants_to_be_quick_gets_its_address_at_once() -> None:
    reply = said(ask(SYSTEM.message(Kind.SOLICIT, extra=((Option.RAPID_COMMIT, b""),))))

    assert (reply.kind, reply.option(Option.RAPID_COMMIT)) == (Kind.REPLY, b"")
    assert reply.associations[0].addresses[0].address == MINE


@pytest.mark.parametrize(
    ("client", "url"),
    [
        (SYSTEM, None),
        (PXE, "tftp://[fd77::1]/snponly.efi"),
        (HTTP, "http://[fd77::1]:8080/loader/snponly.efi"),
        (IPXE, "http://[fd77::1]:8080/boot/52-54-00-77-00-10"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_each_program_is_told_what_it_loads_next(client: Firmware6, url: str | None) -> None:
    advertised, replied = (
        said(ask(client.message(kind, server=server))).option(Option.BOOT_FILE_URL)
        for kind, server in ((Kind.SOLICIT, None), (Kind.REQUEST, own()))
    )

    assert advertised == replied == (url.encode() if url else None)


def test_http_boot_firmware_gets_its_vendor_class_back_and_nobody_else_does() -> None:
    assert said(ask(HTTP.message(Kind.SOLICIT))).option(Option.VENDOR_CLASS) == vendor_class(343, b"HTTPClient")
    assert said(ask(PXE.message(Kind.SOLICIT))).option(Option.VENDOR_CLASS) is None


def test_another_tftp_port_is_in_the_url() -> None:
    site = demo6()
    ports = site.site.ports.model_copy(update={"tftp": 6969})
    moved = replace(site, site=site.site.model_copy(update={"ports": ports}))

    reply = said(ask(PXE.message(Kind.SOLICIT), context=world(moved)))

    assert reply.option(Option.BOOT_FILE_URL) == b"tftp://[fd77::1]:6969/snponly.efi"


def test_an_architecture_without_a_loader_gets_an_address_and_the_reason() -> None:
    decided = ask(replace(PXE, options={**PXE.options, 61: b"\0\x06"}).message(Kind.SOLICIT))

    assert "no loader for the architecture 0x0006" in decided.reason
    assert said(decided).associations[0].addresses[0].address == MINE


def test_resolvers_and_search_domains_are_those_of_the_network() -> None:
    context = world(demo6(dns=["9.9.9.9", "fd99::53"], search=["a.example", "b.example"]))
    reply = said(ask(SYSTEM.message(Kind.SOLICIT), context=context))

    assert reply.option(Option.DNS) == IPv6Address("fd99::53").packed
    assert reply.option(Option.DOMAINS) == domains(["cluster.local", "a.example", "b.example"])


@pytest.mark.parametrize(
    ("duid", "source", "relays"),
    [
        (duid_ll(), NOBODY, ()),
        (duid_llt(), NOBODY, ()),
        (b"\0\x02opaque", LINK_LOCAL, ()),
        (duid_ll(STRANGER), LINK_LOCAL, ()),
        (b"\0\x02opaque", IPv6Address("fd77::2"), (replace(RELAY, peer=LINK_LOCAL),)),
        (
            duid_ll(STRANGER),
            IPv6Address("fd77::2"),
            (replace(RELAY, options=((Option.LINK_ADDRESS, b"\0\x01" + duid_ll()[4:]),)),),
        ),
    ],
    ids=[
        "DUID-LL",
        "DUID-LLT",
        "its own address",
        "its own address before a DUID",
        "its address behind a relay",
        "as its relay says",
    ],
)
def test_a_machine_is_known_by_its_hardware_address(
    duid: bytes, source: IPv6Address, relays: tuple[Relay, ...]
) -> None:
    assert ask(SYSTEM.message(Kind.SOLICIT, duid=duid), source=source, relays=relays).node == "n001"


@pytest.mark.parametrize("order", ["bytes", "bytes_le"])
def test_a_machine_whose_address_tells_nothing_is_known_by_its_uuid(order: str) -> None:
    mine = node("n001", interface("eth0", None, mac=MAC, ip6="fd77::11/64"))
    mine = mine.model_copy(update={"uuid": UUID(MACHINE)})
    site = snapshot(mine, cidr6="fd77::/64", dhcp6="authoritative")

    decided = ask(IPXE.message(Kind.SOLICIT, duid=b"\0\x04" + getattr(UUID(MACHINE), order)), context=world(site))

    assert (decided.node, decided.mac, decided.address) == ("n001", MAC, MINE)


def test_a_uuid_that_two_nodes_have_tells_neither() -> None:
    twins = [
        node(name, interface("eth0", None, mac=mac, ip6=ip6)).model_copy(update={"uuid": UUID(MACHINE)})
        for name, mac, ip6 in (("n001", MAC, "fd77::11/64"), ("n002", STRANGER, "fd77::12/64"))
    ]
    site = snapshot(*twins, cidr6="fd77::/64", dhcp6="authoritative")

    decided = ask(SYSTEM.message(Kind.SOLICIT, duid=b"\0\x04" + UUID(MACHINE).bytes), context=world(site))

    assert (decided.name, decided.node) == ("ignored", None)


def test_a_uuid_does_not_give_the_address_of_one_device_to_another() -> None:
    mine = node("n001", interface("eth0", None, mac=MAC, ip6="fd77::11/64"))
    site = snapshot(mine.model_copy(update={"uuid": UUID(MACHINE)}), cidr6="fd77::/64", dhcp6="authoritative")
    elsewhere = IPv6Address("fe80::5054:ff:fe99:9999")

    decided = ask(
        SYSTEM.message(Kind.SOLICIT, duid=b"\0\x04" + UUID(MACHINE).bytes), source=elsewhere, context=world(site)
    )

    assert (decided.name, decided.node, decided.mac) == ("ignored", None, STRANGER)


@pytest.mark.parametrize(
    ("duid", "reason"),
    [
        (duid_ll(STRANGER), f"no node has the MAC {STRANGER}"),
        (duid_ll("52:54:00:77:00:13"), "n003 has no IPv6 address on the network provision"),
        (b"\0\x02opaque", "neither its address nor its DUID"),
    ],
    ids=["stranger", "node without an address", "nameless"],
)
def test_whoever_has_no_address_here_is_not_solicited(duid: bytes, reason: str) -> None:
    decided = ask(SYSTEM.message(Kind.SOLICIT, duid=duid))

    assert (decided.name, decided.reply) == ("ignored", None)
    assert reason in decided.reason


@pytest.mark.parametrize(
    ("kind", "code"), [(Kind.REQUEST, StatusCode.NO_ADDRESSES), (Kind.RENEW, StatusCode.NO_BINDING)]
)
def test_whoever_lost_its_address_is_told_so(kind: Kind, code: StatusCode) -> None:
    decided = ask(SYSTEM.message(kind, server=own(), duid=duid_ll(STRANGER), wanted=OTHER))
    (association,) = said(decided).associations

    assert association.status is not None
    assert (association.addresses, association.status.code, decided.level) == ((), code, Level.WARNING)


@pytest.mark.parametrize("kind", [Kind.RENEW, Kind.REBIND])
def test_an_address_that_is_no_longer_the_nodes_is_taken_away_as_the_new_one_comes(kind: Kind) -> None:
    server = own() if kind is Kind.RENEW else None
    reply = said(ask(SYSTEM.message(kind, server=server, wanted=OTHER)))

    assert reply.associations[0].addresses == (
        Lent(MINE, LEASE_SECONDS, LEASE_SECONDS),
        Lent(IPv6Address(OTHER), 0, 0),
    )


def test_a_rebind_of_a_stranger_is_left_to_other_servers() -> None:
    assert ask(SYSTEM.message(Kind.REBIND, duid=duid_ll(STRANGER), wanted=OTHER)).reply is None


def test_a_device_gets_one_address_however_many_it_asks_for() -> None:
    first, second = said(to_us(Kind.REQUEST, iaids=(1, 2))).associations

    assert first.addresses[0].address == MINE
    assert second.status is not None
    assert (second.iaid, second.addresses, second.status.code) == (2, (), StatusCode.NO_ADDRESSES)


@pytest.mark.parametrize(
    ("address", "code"), [(str(MINE), StatusCode.SUCCESS), ("fd99::5", StatusCode.NOT_ON_LINK)]
)
def test_a_client_that_moved_is_told_whether_its_address_is_of_this_link(address: str, code: StatusCode) -> None:
    reply = said(ask(SYSTEM.message(Kind.CONFIRM, wanted=address)))

    assert reply.status is not None
    assert (reply.kind, reply.status.code) == (Kind.REPLY, code)


def test_a_confirm_without_an_address_gets_silence() -> None:
    assert ask(SYSTEM.message(Kind.CONFIRM)).reply is None


@pytest.mark.parametrize(("kind", "level"), [(Kind.RELEASE, Level.INFO), (Kind.DECLINE, Level.WARNING)])
def test_what_is_given_back_is_taken(kind: Kind, level: Level) -> None:
    decided = to_us(kind, wanted=str(MINE))
    reply = said(decided)

    assert reply.status is not None
    assert (reply.status.code, decided.name, decided.level) == (
        StatusCode.SUCCESS,
        kind.name.lower(),
        level,
    )


def test_an_information_request_gets_settings_and_the_url_but_no_address() -> None:
    reply = said(ask(IPXE.message(Kind.INFORMATION_REQUEST, iaids=())))

    assert (reply.kind, reply.associations) == (Kind.REPLY, ())
    assert reply.option(Option.DNS) == HEAD.packed
    assert reply.option(Option.BOOT_FILE_URL) == b"http://[fd77::1]:8080/boot/52-54-00-77-00-10"


def test_an_information_request_may_be_nameless() -> None:
    reply = said(ask(SYSTEM.message(Kind.INFORMATION_REQUEST, iaids=(), duid=b"")))

    assert reply.option(Option.CLIENT) is None
    assert reply.option(Option.SERVER) == own()


@pytest.mark.parametrize(
    ("kind", "server", "duid"),
    [
        (Kind.SOLICIT, b"\0\x02any", None),
        (Kind.CONFIRM, b"\0\x02any", None),
        (Kind.REBIND, b"\0\x02any", None),
        (Kind.REQUEST, None, None),
        (Kind.REQUEST, b"\0\x02another", None),
        (Kind.RENEW, b"\0\x02another", None),
        (Kind.RELEASE, b"\0\x02another", None),
        (Kind.DECLINE, None, None),
        (Kind.SOLICIT, None, b""),
        (Kind.INFORMATION_REQUEST, None, None),
        (Kind.ADVERTISE, None, None),
        (Kind.REPLY, None, None),
        (Kind.RECONFIGURE, None, None),
    ],
)
def test_what_rfc_8415_says_to_discard_is_discarded(kind: Kind, server: bytes | None, duid: bytes | None) -> None:
    decided = ask(SYSTEM.message(kind, server=server, duid=duid, wanted=str(MINE)))

    assert (decided.name, decided.reply) == ("ignored", None)


def test_a_source_that_is_not_on_the_link_draws_no_answer() -> None:
    assert ask(SYSTEM.message(Kind.SOLICIT), source=IPv6Address("fd77::11")).reply is None


def test_an_answer_goes_back_through_all_relays_with_what_they_need() -> None:
    outer = Relay(1, IPv6Address("::"), IPv6Address("fd77::2"), ((Option.INTERFACE, b"up"), (37, b"remote")))
    decided = ask(SYSTEM.message(Kind.SOLICIT), source=IPv6Address("fd77::3"), relays=(outer, RELAY))

    assert decided.reply is not None
    assert decided.reply.relays == (replace(outer, options=((Option.INTERFACE, b"up"),)), RELAY)
    assert encode(decided.reply)[0] == Kind.RELAY_REPLY


def test_a_relay_tells_the_network_of_its_client() -> None:
    elsewhere = replace(RELAY, link=IPv6Address("fd99::2"))

    assert "no network" in ask(SYSTEM.message(Kind.SOLICIT), source=HEAD, relays=(elsewhere,)).reason
    assert (
        ask(
            SYSTEM.message(Kind.SOLICIT),
            source=HEAD,
            relays=(RELAY,),
            context=world(server=IPv6Address("fd88::1")),
        ).node
        == "n001"
    )


def test_a_network_without_dhcpv6_is_not_answered() -> None:
    decided = ask(SYSTEM.message(Kind.SOLICIT), context=world(demo6(dhcp6="off")))

    assert (decided.reply, decided.reason) == (None, "the network provision has dhcp6: off")


def test_every_daemon_of_a_site_has_the_same_name() -> None:
    assert world().duid == world(demo6(pool="10.77.0.200-10.77.0.203"), IPv6Address("fd77::2")).duid


@given(packets(), sources())
def test_nothing_that_can_be_sent_raises_and_every_reply_can_be_sent(packet: Packet, source: IPv6Address) -> None:
    decided = answer(packet, source, world())

    if decided.reply is not None:
        assert decode(encode(decided.reply)).message.transaction == packet.message.transaction
        addresses = [
            each.address for one in decided.reply.message.associations for each in one.addresses if each.valid
        ]
        assert addresses in ([], [MINE])
