"""Machines that are no nodes, against the real daemon: asked what they are, listed, accepted, ignored."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from provisioner.events.inbox import MOST, read_inbox
from provisioner.model.address import MacAddress
from provisioner.operations import live
from tests.integration.discovery.conftest import SITE
from tests.support.daemon import ADDRESS, HeadNode, Machine, eventually
from tests.support.packets import IPXE_BIOS, OVMF_PXE

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("curl", "ip"),
    pytest.mark.timeout(400),
]

_TOLD = (
    "uuid=4c4c4544-0000-1000-8000-0000000000{0}&serial=SN-{0}&manufacturer=ACME&product=Blade%209&buildarch=x86_64"
)


def _told(head: HeadNode, machine: Machine, mac: str, what: str) -> dict[str, Any]:
    """A machine tells of itself; its entry in the list."""
    machine.get(f"/boot/{MacAddress(mac).hyphenated}?{what}")
    eventually(lambda: mac in {each.mac for each in read_inbox(head.paths.inbox)})
    return next(each for each in _listed(head) if each["machine"]["mac"] == mac)


def _listed(head: HeadNode) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(head.prov("discover", "--format", "json"))
    return found


def test_an_unknown_machine_is_asked_what_it_is_and_then_waits(head: HeadNode) -> None:
    machine, mac = head.machine(), "52-54-00-aa-00-01"

    asked = machine.get(f"/boot/{mac}").text
    waits = machine.get(f"/boot/{mac}?{_TOLD.format('01')}").text

    assert f"chain --replace http://10.66.0.1:8080/boot/{mac}?${{who}}&${{what}}" in asked
    assert "prov discover accept 52:54:00:aa:00:01" in waits
    assert f"chain --replace http://10.66.0.1:8080/boot/{mac} ||" in waits


def test_what_it_said_is_listed_with_the_daemon_up_and_down(head: HeadNode) -> None:
    shown = _told(head, head.machine(), "52:54:00:aa:00:02", _TOLD.format("02"))["machine"]

    assert (shown["serial"], shown["manufacturer"], shown["product"]) == ("SN-02", "ACME", "Blade 9")
    assert (shown["uuid"], shown["told"]) == ("4c4c4544-0000-1000-8000-000000000002", True)
    head.daemon.stop()
    try:
        assert "52:54:00:aa:00:02" in head.prov("discover")
    finally:
        head.daemon.start()
    assert "52:54:00:aa:00:02" in {each["machine"]["mac"] for each in _listed(head)}


def test_an_accepted_machine_boots_when_it_asks_again(head: HeadNode) -> None:
    machine, mac = head.machine(), "52:54:00:aa:00:03"
    _told(head, machine, mac, _TOLD.format("03"))

    plan = head.prov_fails("discover", "accept", mac, "--as", machine.node, "--plan")
    written = head.prov("discover", "accept", mac, "--as", machine.node, "--yes")

    assert plan.status == 2
    assert f"{mac} -> {machine.node}: asked for" in written
    assert "undo with: prov undo" in written
    assert "/kernel" in machine.get(f"/boot/{MacAddress(mac).hyphenated}").text
    assert mac not in {each["machine"]["mac"] for each in _listed(head)}
    assert json.loads(head.prov("node", "show", machine.node, "--format", "json"))["serial"] == "SN-03"


def test_an_ignored_machine_is_gone_from_the_list_and_from_nothing_else(head: HeadNode) -> None:
    mac = "52:54:00:aa:00:04"
    _told(head, head.machine(), mac, _TOLD.format("04"))

    head.prov("discover", "ignore", mac, "--yes")

    assert mac not in {each["machine"]["mac"] for each in _listed(head)}
    assert f"ignore: [{mac}]" in (head.paths.site / "provisioner.yaml").read_text().replace('"', "")


def test_the_relay_and_its_port_are_shown(head: HeadNode) -> None:
    mac, relay = "52:54:00:aa:00:05", head.machine()
    giaddr = bytes(map(int, relay.address.split(".")))
    option = bytes((1, 7)) + b"Eth1/17" + bytes((2, 3)) + b"sw1"
    datagram = OVMF_PXE.datagram(1, mac=mac, giaddr=giaddr, extra={82: option})

    _send(head, datagram, source=relay.address)

    eventually(lambda: mac in {each.mac for each in read_inbox(head.paths.inbox)})
    shown = next(each for each in read_inbox(head.paths.inbox) if each.mac == mac)
    assert (shown.relay, shown.circuit, shown.remote) == (relay.address, "Eth1/17", "sw1")
    assert (shown.firmware, shown.told) == ("efi-x64", False)


def test_machines_become_nodes_by_themselves_where_the_site_says_so(head: HeadNode) -> None:
    policy = 'discovery: {accept: auto, names: "x[001-100]", groups: [compute]}\n'
    head.write("provisioner.yaml", SITE + policy)
    live.reload(head.paths)
    machine, mac = head.machine(), "52:54:00:aa:00:06"

    machine.get(f"/boot/{MacAddress(mac).hyphenated}?{_TOLD.format('06')}")

    # What other tests left waiting may become nodes before it.
    eventually(lambda: mac in {each.mac for each in head.events("node.discovered")})
    event = next(each for each in head.events("node.discovered") if each.mac == mac)
    assert (event.node or "").startswith("x0")
    assert json.loads(head.prov("node", "show", event.node or "", "--format", "json"))["groups"] == ["compute"]
    assert "discovery.accept: auto" in head.prov("history")


def test_a_flood_of_made_up_machines_stays_bounded_and_pushes_no_real_one_out(head: HeadNode) -> None:
    mac, liar = "52:54:00:aa:00:07", head.machine()
    _told(head, head.machine(), mac, _TOLD.format("07"))
    urls = [
        f"http://{ADDRESS.ip}:8080/boot/02-00-00-00-{n // 256:02x}-{n % 256:02x}?serial=S{n}" for n in range(600)
    ]

    words = ["curl", "--silent", "--interface", liar.address, "--output", "/dev/null", *_each(urls)]
    head.namespace.run(words, timeout=300)

    eventually(lambda: any(each.mac.startswith("02:00:00") for each in read_inbox(head.paths.inbox)))
    kept = read_inbox(head.paths.inbox)
    assert len(kept) <= 2 * MOST
    assert len([each for each in kept if each.mac.startswith("02:00:00")]) <= 8
    assert mac in {each.mac for each in kept}


def test_what_a_machine_says_cannot_be_longer_than_what_is_looked_at(head: HeadNode) -> None:
    shown = _told(head, head.machine(), "52:54:00:aa:00:08", f"serial={'x' * 5000}")["machine"]

    assert shown["serial"] is None


def _send(head: HeadNode, datagram: bytes, source: str = "") -> None:
    """Send a datagram to the DHCP port, from an address of a client."""
    program = (
        f"import socket; s = socket.socket(2, 2); s.bind(({source!r}, 0)); "
        f"s.sendto(bytes.fromhex({datagram.hex()!r}), ({str(ADDRESS.ip)!r}, 67))"
    )
    head.namespace.run([sys.executable, "-c", program])


def _each(urls: list[str]) -> list[str]:
    words = [word for url in urls for word in ("--next", "--silent", "--output", "/dev/null", url)]
    return words[1:]


def test_firmware_that_asks_by_dhcp_alone_is_listed_too(head: HeadNode) -> None:
    mac = "52:54:00:aa:00:09"
    datagram = IPXE_BIOS.datagram(1, mac=mac)

    _send(head, datagram)

    eventually(lambda: mac in {each.mac for each in read_inbox(head.paths.inbox)})
