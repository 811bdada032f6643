from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given

from provisioner.dhcp.answer import Answer
from provisioner.dhcp.case import Context
from provisioner.dhcp.codec import decode, encode
from provisioner.dhcp.lease import Lease, Leases
from provisioner.dhcp.message import BROADCAST_FLAG, NO_ADDRESS, Kind, Message, Option
from provisioner.dhcp.policy import DECLINE_SECONDS, LEASE_SECONDS, POOL_SECONDS, answer
from provisioner.dhcp.reply import destination
from provisioner.model.address import MacAddress
from provisioner.model.event import Level
from provisioner.model.snapshot import Snapshot
from provisioner.model.written import Network, Site
from tests.support.packets import (
    IPXE_BIOS,
    MAC,
    NETWORKD,
    OVMF_HTTP,
    OVMF_PXE,
    Firmware,
    demo,
    interface,
    node,
    requests,
    scapy_view,
)
from tests.support.resolved import catalogue

SERVER = IPv4Address("10.77.0.1")
MINE = IPv4Address("10.77.0.11")
STRANGER = "52:54:00:99:99:99"
SECOND = "52:54:00:77:01:10"
POOL = "10.77.0.200-10.77.0.203"


def world(
    snapshot: Snapshot | None = None, *, leases: Leases | None = None, server: IPv4Address = SERVER
) -> Context:
    return Context(snapshot or demo(), catalogue(), server, 8080, leases or Leases(), now=1000.0)


def packed(text: str) -> bytes:
    return IPv4Address(text).packed


def asked(
    kind: Kind,
    client: Firmware = NETWORKD,
    *,
    mac: str = MAC,
    ciaddr: str = "0.0.0.0",
    giaddr: str = "0.0.0.0",
    wanted: str | None = None,
    server: str | None = None,
    extra: dict[int, bytes] | None = None,
) -> Message:
    options = dict(extra or {})
    if wanted:
        options[50] = packed(wanted)
    if server:
        options[54] = packed(server)
    return decode(client.datagram(kind, mac=mac, ciaddr=packed(ciaddr), giaddr=packed(giaddr), extra=options))


def reply_of(decided: Answer) -> Message:
    assert decided.reply is not None, decided.reason
    return decided.reply


def test_a_known_machine_is_offered_its_reserved_address_for_half_a_day() -> None:
    decided = answer(asked(Kind.DISCOVER), world())

    reply = reply_of(decided)
    assert (reply.kind, reply.yiaddr, decided.node) == (Kind.OFFER, MINE, "n001")
    assert int.from_bytes(reply.options[Option.LEASE_TIME], "big") == LEASE_SECONDS == 43200
    assert reply.options[Option.SERVER] == SERVER.packed
    assert reply.options[Option.HOST_NAME] == b"n001"
    assert reply.options[Option.DOMAIN_NAME] == b"cluster.local"
    assert reply.options[Option.SUBNET_MASK] == packed("255.255.255.0")


@pytest.mark.parametrize(
    ("network", "resolvers", "router"),
    [
        ({}, "10.77.0.1", None),
        ({"dns": ["9.9.9.9", "fd77::1", "8.8.8.8"], "gateway": "10.77.0.254"}, "9.9.9.9 8.8.8.8", "10.77.0.254"),
    ],
    ids=["the server resolves and nobody routes", "as the network says, IPv4 only"],
)
def test_resolvers_and_router_come_from_the_network(
    network: dict[str, object], resolvers: str, router: str | None
) -> None:
    options = reply_of(answer(asked(Kind.DISCOVER), world(demo(**network)))).options

    assert options[Option.DNS] == b"".join(packed(each) for each in resolvers.split())
    assert options.get(Option.ROUTER) == (packed(router) if router else None)


@pytest.mark.parametrize(
    ("client", "file", "siaddr"),
    [
        (IPXE_BIOS, "http://10.77.0.1:8080/boot/52-54-00-77-00-10", SERVER),
        (OVMF_PXE, "snponly.efi", SERVER),
        (OVMF_HTTP, "http://10.77.0.1:8080/loader/snponly.efi", SERVER),
        (NETWORKD, "", NO_ADDRESS),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_each_program_is_told_what_it_loads_next(client: Firmware, file: str, siaddr: IPv4Address) -> None:
    reply = reply_of(answer(asked(Kind.DISCOVER, client), world()))

    assert (reply.file.decode(), reply.siaddr) == (file, siaddr)


def test_ipxe_is_told_not_to_wait_for_a_proxy() -> None:
    assert reply_of(answer(asked(Kind.DISCOVER, IPXE_BIOS), world())).options[Option.IPXE] == bytes.fromhex(
        "b00101"
    )


@pytest.mark.parametrize("kind", [Kind.DISCOVER, Kind.REQUEST])
def test_http_boot_firmware_gets_its_vendor_class_back(kind: Kind) -> None:
    reply = reply_of(answer(asked(kind, OVMF_HTTP, wanted=str(MINE)), world()))

    assert reply.options[Option.VENDOR_CLASS] == b"HTTPClient"


@pytest.mark.parametrize(
    ("client", "options"),
    [
        (OVMF_PXE, {66: b"10.77.0.1", 67: b"snponly.efi"}),
        (OVMF_HTTP, {67: b"http://10.77.0.1:8080/loader/snponly.efi"}),
        (IPXE_BIOS, {}),
        (NETWORKD, {}),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_firmware_that_asks_for_options_66_and_67_gets_its_file_there_too(
    client: Firmware, options: dict[int, bytes]
) -> None:
    sent = reply_of(answer(asked(Kind.DISCOVER, client), world())).options

    assert {code: sent[code] for code in (66, 67) if code in sent} == options


def test_firmware_that_does_not_ask_for_them_gets_the_header_alone() -> None:
    sent = reply_of(answer(asked(Kind.DISCOVER, OVMF_PXE, extra={55: b"\1\3"}), world())).options

    assert {66, 67}.isdisjoint(sent)


def test_relays_of_two_networks_get_what_belongs_to_theirs() -> None:
    one = Network.model_validate({"cidr": "10.77.0.0/24", "gateway": "10.77.0.254"})
    other = Network.model_validate({"cidr": "10.88.0.0/24", "gateway": "10.88.0.254"})
    machine = node(
        "n001", interface("eth0", "10.77.0.11/24", mac=MAC), interface("eth1", "10.88.0.11/24", mac=SECOND)
    )
    site = Site(cluster="demo", networks={"one": one, "other": other})
    context = world(Snapshot.build("1", site, [machine]))

    for mac, relay, address, router in (
        (MAC, "10.77.0.9", "10.77.0.11", "10.77.0.254"),
        (SECOND, "10.88.0.9", "10.88.0.11", "10.88.0.254"),
    ):
        seen = scapy_view(encode(reply_of(answer(asked(Kind.DISCOVER, mac=mac, giaddr=relay), context))))
        assert (seen["yiaddr"], seen["giaddr"], seen["options"]["router"]) == (address, relay, (router,))
    assert answer(asked(Kind.DISCOVER, mac=MAC, giaddr="10.88.0.9"), context).reply is None


def test_an_architecture_without_a_loader_gets_an_address_and_the_reason() -> None:
    decided = answer(asked(Kind.DISCOVER, OVMF_PXE, extra={93: b"\0\x06"}), world())

    assert (reply_of(decided).yiaddr, reply_of(decided).file) == (MINE, b"")
    assert "no loader for the architecture 0x0006" in decided.reason


def test_a_node_that_cannot_boot_still_gets_its_address_and_the_script_that_says_why() -> None:
    decided = answer(asked(Kind.DISCOVER, IPXE_BIOS, mac="52:54:00:77:00:12"), world())

    assert reply_of(decided).yiaddr == IPv4Address("10.77.0.12")
    assert reply_of(decided).file.endswith(b"/boot/52-54-00-77-00-12")
    assert "the image gone of n002 does not exist" in decided.reason


def test_the_identifiers_of_client_and_relay_come_back() -> None:
    message = asked(Kind.DISCOVER, giaddr="10.77.0.2", extra={82: b"\x01\x02ge"})

    reply = reply_of(answer(message, world()))

    assert reply.options[Option.CLIENT] == NETWORKD.options[61]
    assert list(reply.options)[-1] == Option.RELAY
    assert reply.giaddr == IPv4Address("10.77.0.2")


def test_identifiers_too_long_for_a_reply_are_left_out() -> None:
    message = replace(asked(Kind.DISCOVER), options={53: b"\x01", 61: bytes(600), 82: bytes(600)})

    assert {61, 82}.isdisjoint(reply_of(answer(message, world())).options)


def test_the_relay_decides_the_network() -> None:
    decided = answer(asked(Kind.DISCOVER, giaddr="10.99.0.2"), world())

    assert (decided.name, decided.reason) == ("ignored", "no network of this site holds 10.99.0.2")


def two_networks(pool: str | None = None) -> Context:
    """What the server of one network sees on a device that has another network too."""
    networks = {"provision": {"cidr": "10.77.0.0/24"}, "storage": {"cidr": "10.88.0.0/24", "pool": pool}}
    before = demo()
    site = before.site.model_validate({"cluster": "demo", "networks": networks})
    known = Snapshot.build("2", site, before.nodes.values())
    return replace(world(known, server=IPv4Address("10.88.0.1")), beside=frozenset({"provision"}))


@pytest.mark.parametrize("pool", [None, "10.88.0.100-10.88.0.120"])
@pytest.mark.parametrize("mac", [MAC, STRANGER])
def test_an_address_of_another_network_on_the_device_is_not_refused(mac: str, pool: str | None) -> None:
    assert answer(asked(Kind.REQUEST, mac=mac, wanted=str(MINE)), two_networks(pool)).reply is None
    assert reply_of(answer(asked(Kind.REQUEST, wanted="192.168.1.5"), two_networks(pool))).kind is Kind.NAK


def test_a_node_with_an_address_on_another_network_of_the_device_gets_none_of_the_pool() -> None:
    context = two_networks("10.88.0.100-10.88.0.120")

    assert answer(asked(Kind.DISCOVER), context).reply is None
    assert reply_of(answer(asked(Kind.DISCOVER, mac=STRANGER), context)).kind is Kind.OFFER


def test_what_a_relay_brings_is_of_its_network_alone() -> None:
    context = two_networks("10.88.0.100-10.88.0.120")

    assert reply_of(answer(asked(Kind.DISCOVER, giaddr="10.88.0.2"), context)).kind is Kind.OFFER
    assert reply_of(answer(asked(Kind.REQUEST, giaddr="10.88.0.2", wanted=str(MINE)), context)).kind is Kind.NAK


def test_a_server_address_outside_all_networks_answers_nothing() -> None:
    assert answer(asked(Kind.DISCOVER), world(server=IPv4Address("192.0.2.1"))).name == "ignored"


def test_a_network_that_another_server_owns_is_left_alone() -> None:
    decided = answer(asked(Kind.DISCOVER), world(demo(dhcp="off")))

    assert (decided.name, decided.reply, decided.reason) == (
        "ignored",
        None,
        "the network provision has dhcp: off",
    )


def test_an_unknown_machine_gets_silence_where_there_is_no_pool() -> None:
    decided = answer(asked(Kind.DISCOVER, mac=STRANGER), world())

    assert decided.reply is None
    assert decided.reason == f"no node has the MAC {STRANGER}, and the network provision has no pool"


def test_an_unknown_machine_gets_a_pool_address_and_the_script_that_says_so() -> None:
    decided = answer(asked(Kind.DISCOVER, IPXE_BIOS, mac=STRANGER), world(demo(pool=POOL)))

    reply = reply_of(decided)
    assert reply.yiaddr in [IPv4Address("10.77.0.200") + n for n in range(4)]
    assert reply.file.endswith(b"/boot/52-54-00-99-99-99")
    assert int.from_bytes(reply.options[Option.LEASE_TIME], "big") == POOL_SECONDS
    assert decided.keep == Lease(MacAddress(STRANGER), reply.yiaddr, 1060.0)


def test_a_node_without_an_address_of_its_own_boots_from_the_pool() -> None:
    decided = answer(asked(Kind.DISCOVER, IPXE_BIOS, mac="52:54:00:77:00:13"), world(demo(pool=POOL)))

    assert decided.node == "n003"
    assert decided.keep is not None
    assert "n003 has no address on the network provision" in decided.reason


def test_the_pool_gives_no_address_that_is_somebodys() -> None:
    decided = answer(asked(Kind.DISCOVER, mac=STRANGER), world(demo(pool="10.77.0.11-10.77.0.12")))

    assert (decided.reply, "is full" in decided.reason) == (None, True)


def test_a_discover_does_not_shorten_the_lease_of_a_machine_that_restarts() -> None:
    leases = Leases()
    leases.keep(Lease(MacAddress(STRANGER), IPv4Address("10.77.0.201"), 1500.0))

    decided = answer(asked(Kind.DISCOVER, mac=STRANGER), world(demo(pool=POOL), leases=leases))

    assert decided.keep == Lease(MacAddress(STRANGER), IPv4Address("10.77.0.201"), 1500.0)


@pytest.mark.parametrize(
    ("ciaddr", "wanted", "server"),
    [("0.0.0.0", str(MINE), str(SERVER)), ("0.0.0.0", str(MINE), None), (str(MINE), None, None)],
    ids=["selecting", "init-reboot", "renewing or rebinding"],
)
def test_a_request_for_its_own_address_is_acknowledged(
    ciaddr: str, wanted: str | None, server: str | None
) -> None:
    reply = reply_of(answer(asked(Kind.REQUEST, ciaddr=ciaddr, wanted=wanted, server=server), world()))

    assert (reply.kind, reply.yiaddr, str(reply.ciaddr)) == (Kind.ACK, MINE, ciaddr)


@pytest.mark.parametrize(
    ("ciaddr", "wanted", "server"),
    [
        ("0.0.0.0", "10.77.0.12", str(SERVER)),
        ("0.0.0.0", "10.77.0.99", None),
        ("0.0.0.0", "192.168.1.5", None),
        ("10.77.0.99", None, None),
    ],
    ids=["selecting", "init-reboot", "init-reboot from another network", "renewing or rebinding"],
)
def test_a_request_for_a_wrong_address_is_refused(ciaddr: str, wanted: str | None, server: str | None) -> None:
    decided = answer(asked(Kind.REQUEST, ciaddr=ciaddr, wanted=wanted, server=server), world())

    reply = reply_of(decided)
    assert (reply.kind, reply.yiaddr, reply.ciaddr) == (Kind.NAK, NO_ADDRESS, NO_ADDRESS)
    assert Option.LEASE_TIME not in reply.options
    assert (decided.level, f"its address is {MINE}" in decided.reason) == (Level.WARNING, True)


def test_a_request_to_another_server_gets_silence_and_ends_our_offer() -> None:
    decided = answer(asked(Kind.REQUEST, wanted=str(MINE), server="10.77.0.2"), world())

    assert (decided.reply, decided.drop) == (None, MAC)


def test_a_request_without_any_address_gets_silence() -> None:
    assert answer(asked(Kind.REQUEST), world()).reply is None


def test_a_stranger_with_an_address_that_we_know_nothing_of_gets_silence() -> None:
    assert answer(asked(Kind.REQUEST, mac=STRANGER, wanted="10.77.0.50"), world()).reply is None


@pytest.mark.parametrize("wanted", ["10.77.0.11", "172.16.0.1"], ids=["of a node", "of another network"])
def test_a_stranger_with_an_address_that_cannot_be_his_is_refused(wanted: str) -> None:
    assert reply_of(answer(asked(Kind.REQUEST, mac=STRANGER, wanted=wanted), world())).kind is Kind.NAK


def test_a_pool_lease_is_renewed_after_we_forgot_it() -> None:
    decided = answer(asked(Kind.REQUEST, mac=STRANGER, ciaddr="10.77.0.202"), world(demo(pool=POOL)))

    assert reply_of(decided).kind is Kind.ACK
    assert decided.keep == Lease(MacAddress(STRANGER), IPv4Address("10.77.0.202"), 1000.0 + POOL_SECONDS)


def test_a_declined_pool_address_rests() -> None:
    leases = Leases()
    leases.keep(Lease(MacAddress(STRANGER), IPv4Address("10.77.0.201"), 1500.0))

    decided = answer(
        asked(Kind.DECLINE, mac=STRANGER, wanted="10.77.0.201"), world(demo(pool=POOL), leases=leases)
    )

    assert decided.keep == Lease(None, IPv4Address("10.77.0.201"), 1000.0 + DECLINE_SECONDS)
    assert (decided.name, decided.level, decided.reply) == ("decline", Level.WARNING, None)


def test_nobody_blocks_an_address_that_he_does_not_hold() -> None:
    assert answer(asked(Kind.DECLINE, mac=STRANGER, wanted="10.77.0.201"), world(demo(pool=POOL))).keep is None


def test_a_release_forgets_the_lease() -> None:
    decided = answer(asked(Kind.RELEASE, ciaddr=str(MINE)), world())

    assert (decided.name, decided.drop, decided.reply) == ("release", MAC, None)


def test_inform_is_answered_with_settings_and_no_lease() -> None:
    reply = reply_of(answer(asked(Kind.INFORM, ciaddr="10.77.0.60"), world()))

    assert (reply.kind, reply.yiaddr, reply.ciaddr) == (Kind.ACK, NO_ADDRESS, IPv4Address("10.77.0.60"))
    assert Option.LEASE_TIME not in reply.options
    assert reply.options[Option.DNS] == SERVER.packed


def test_inform_from_a_foreign_address_gets_silence() -> None:
    assert answer(asked(Kind.INFORM, ciaddr="203.0.113.9"), world()).reply is None


@pytest.mark.parametrize("kind", [Kind.OFFER, Kind.ACK, Kind.NAK])
def test_the_messages_of_servers_are_ignored(kind: Kind) -> None:
    assert answer(asked(kind), world()).name == "ignored"


@pytest.mark.parametrize(
    "message",
    [
        replace(asked(Kind.DISCOVER), htype=6),
        replace(asked(Kind.DISCOVER), chaddr=bytes(8)),
        replace(asked(Kind.DISCOVER), options={}),
    ],
    ids=["token ring", "a hardware address of eight octets", "plain BOOTP"],
)
def test_what_is_not_dhcp_over_ethernet_or_infiniband_is_ignored(message: Message) -> None:
    assert answer(message, world()).name == "ignored"


@pytest.mark.parametrize(
    ("message", "target"),
    [
        (asked(Kind.DISCOVER), (str(MINE), 68, MacAddress(MAC).octets)),
        (asked(Kind.DISCOVER, OVMF_PXE), ("255.255.255.255", 68, b"")),
        (asked(Kind.DISCOVER, giaddr="10.77.0.2"), ("10.77.0.2", 67, b"")),
        (asked(Kind.REQUEST, ciaddr=str(MINE)), (str(MINE), 68, b"")),
        (asked(Kind.REQUEST, ciaddr="10.77.0.99"), ("255.255.255.255", 68, b"")),
        (asked(Kind.REQUEST, wanted="10.77.0.99"), ("255.255.255.255", 68, b"")),
        (asked(Kind.INFORM, ciaddr="10.77.0.60"), ("10.77.0.60", 68, b"")),
        (asked(Kind.REQUEST, ciaddr="203.0.113.9", wanted=str(MINE)), (str(MINE), 68, MacAddress(MAC).octets)),
    ],
    ids=[
        "without an address",
        "that wants broadcasts",
        "through a relay",
        "renewing",
        "refused",
        "refused, without an address",
        "inform",
        "with the address of a stranger",
    ],
)
def test_a_reply_goes_where_the_client_hears_it(message: Message, target: tuple[str, int, bytes]) -> None:
    assert destination(reply_of(answer(message, world()))) == target


def test_a_refusal_through_a_relay_asks_for_broadcast() -> None:
    reply = reply_of(answer(asked(Kind.REQUEST, giaddr="10.77.0.2", wanted="10.77.0.99"), world()))

    assert reply.flags & BROADCAST_FLAG


@given(requests())
def test_whatever_is_asked_the_reply_can_be_sent(message: Message) -> None:
    decided = answer(message, world(demo(pool=POOL)))

    assert decided.reason
    if decided.reply is not None:
        assert decode(encode(decided.reply)) == decided.reply


@given(requests())
def test_nobody_is_given_an_address_that_another_node_reserves(message: Message) -> None:
    decided = answer(message, world(demo(pool="10.77.0.1-10.77.0.254")))

    reply = decided.reply
    if reply is not None and reply.yiaddr != NO_ADDRESS:
        owner = demo().by_address.get(reply.yiaddr)
        assert owner is None or owner.name == decided.node
