"""Two head nodes that answer side by side: either may go at any moment of a boot."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import closing
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from provisioner.operations import live
from tests.support.daemon import Machine, eventually, kill
from tests.support.netns import network_of
from tests.support.packets import IPXE_BIOS, OVMF_PXE, Firmware, broadcast_frame, reply_in, scapy_view
from tests.support.twoheads import FIRST, IMAGE, SECOND, URLS, Pair, two_heads

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("nsenter", "ip", "curl", "dash"),
    pytest.mark.timeout(400),
]

DISCOVER, REQUEST = 1, 3
OFFER, ACK = 2, 5
_ETH_P_IP = 0x0800
_MOTD = "overlays/motd/rootfs/etc/motd.j2"
_SHEET = 'report stage1.started; fetch_small sheet "$WORK/sheet"\n'
_IMAGE = """
ROOT_SIZE=$(sheet root_size)
stream_root > "$WORK/image"
"""
_END = """
report image.verified
fetch_overlay
report overlay.applied
hand_over
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with two_heads(tmp_path_factory.mktemp("pair")) as made:
        yield made


@pytest.fixture
def both(pair: Pair) -> Pair:
    """Both daemons run."""
    for daemon in (pair.first, pair.second):
        if not daemon.running:
            daemon.start()
    return pair


class Wire:
    """Frames on the machines' cable."""

    def __init__(self, pair: Pair) -> None:
        with network_of(pair.site.namespace.first.pid):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_IP))
        self.socket.bind(("prov0", 0))
        self.socket.settimeout(30)

    def ask(self, datagram: bytes, mac: str, *, answers: int) -> list[dict[str, object]]:
        """Broadcast a datagram and return scapy's view of every reply, which are to be so many."""
        self.socket.send(broadcast_frame(datagram, mac=mac))
        found: list[dict[str, object]] = []
        while len(found) < answers:
            if reply := reply_in(self.socket.recv(4096)):
                found.append(scapy_view(reply))
        return found


def servers(replies: list[dict[str, object]]) -> set[str]:
    """The servers that sent these replies, by option 54."""
    return {reply["options"]["server_id"][0] for reply in replies}  # type: ignore[index] # as scapy has it


def script_of(machine: Machine) -> str:
    return machine.get(f"/boot/{machine.mac.hyphenated}").text


def test_the_script_names_both_head_nodes_the_one_that_was_asked_first(both: Pair) -> None:
    machine = both.site.machine()
    words = ["curl", "--silent", "--interface", machine.address, f"{URLS[1]}/boot/{machine.mac.hyphenated}"]

    first, second = script_of(machine), both.site.namespace.run(words)

    assert f" prov.url={URLS[0]} prov.also={URLS[1]} " in first
    assert f" prov.url={URLS[1]} prov.also={URLS[0]} " in second
    assert f"set head0 {URLS[0]}\nset head1 {URLS[1]}\n" in first
    assert "kernel --name kernel ${head${turn}}/t/" in second


@pytest.mark.parametrize("firmware", [OVMF_PXE, IPXE_BIOS], ids=lambda each: each.name)
@pytest.mark.parametrize("chosen", [FIRST, SECOND], ids=["first", "second"])
def test_both_offer_the_same_address_and_only_the_chosen_one_grants_it(
    both: Pair, firmware: Firmware, chosen: IPv4Address
) -> None:
    machine, wire = both.site.machine(), Wire(both)
    with closing(wire.socket):
        offers = wire.ask(firmware.datagram(DISCOVER, mac=machine.mac), machine.mac, answers=2)
        extra = {50: IPv4Address(machine.address).packed, 54: chosen.packed}
        acks = wire.ask(firmware.datagram(REQUEST, mac=machine.mac, extra=extra), machine.mac, answers=1)

    assert servers(offers) == {str(FIRST), str(SECOND)}
    assert {offer["yiaddr"] for offer in offers} == {machine.address}
    assert servers(acks) == {str(chosen)}
    eventually(lambda: machine.mac in {each.mac for events in both.events("dhcp.ignored") for each in events})
    assert both.events("dhcp.foreign") == ([], [])


def test_a_machine_goes_on_with_the_other_when_one_dies_under_its_image(both: Pair, tmp_path: Path) -> None:
    machine = both.site.machine()
    token = machine.start().stage1
    stage1 = both.stage1(tmp_path, _SHEET + _IMAGE + _END, address=machine.address, token=token)
    image = tmp_path / "image"
    eventually(lambda: image.exists() and image.stat().st_size > 0)
    kill(both.first)

    assert stage1.wait(200), "stage 1 does not end"
    said = (tmp_path / "said").read_text()
    assert f"{URLS[0]} does not help; asking {URLS[1]}\n" in said
    assert said.endswith("handing over to demo@1\n")
    assert image.read_bytes() == IMAGE
    # Resumed at the other one, not begun again.
    eventually(lambda: machine.node in {event.node for event in both.events("root.sent")[1]})
    (sent,) = (event for event in both.events("root.sent")[1] if event.node == machine.node)
    assert 0 < (sent.bytes or 0) < len(IMAGE)
    eventually(lambda: machine.node in {event.node for event in both.events("handover.done")[1]})


def test_a_machine_boots_from_the_other_when_the_first_is_gone_at_once(both: Pair, tmp_path: Path) -> None:
    machine = both.site.machine()
    token = machine.start().stage1
    kill(both.first)

    stage1 = both.stage1(tmp_path, _SHEET + _IMAGE + _END, address=machine.address, token=token)

    assert stage1.wait(200), "stage 1 does not end"
    assert (tmp_path / "said").read_text().endswith("handing over to demo@1\n")
    # What the agent asks from now on, and what it falls back to.
    assert ((tmp_path / "url").read_text(), (tmp_path / "also").read_text()) == (f"{URLS[1]}\n", f"{URLS[0]}\n")
    assert (tmp_path / "token").read_text() != token


def test_a_machine_waits_for_a_head_node_that_comes_back_when_both_are_gone(both: Pair, tmp_path: Path) -> None:
    machine = both.site.machine()
    token = machine.start().stage1
    kill(both.first)
    kill(both.second)
    stage1 = both.stage1(tmp_path, _SHEET, address=machine.address, token=token)
    eventually(lambda: (tmp_path / "said").exists() and "attempt 4" in (tmp_path / "said").read_text())
    both.second.start()

    assert stage1.wait(100), "stage 1 does not end"
    assert (tmp_path / "sheet").read_text().startswith(f"node={machine.node}\n")


def test_a_head_node_that_does_not_know_the_revision_yet_is_passed_over(both: Pair, tmp_path: Path) -> None:
    before, text = both.site.revision, "the first head node knows this already\n"
    both.site.write(_MOTD, text)
    both.site.serves_another(before)
    machine = both.site.machine()
    token = machine.start().stage1

    stage1 = both.stage1(tmp_path, _SHEET, address=machine.address, token=token, urls=(URLS[1], URLS[0]))

    assert stage1.wait(100), "stage 1 does not end"
    assert f"{URLS[1]} does not help; asking {URLS[0]}\n" in (tmp_path / "said").read_text()
    assert (tmp_path / "sheet").read_text().startswith(f"node={machine.node}\n")
    # From here on both have the same files again.
    (both.other.site / _MOTD).write_text(text)
    eventually(lambda: (live.status(both.other) or {}).get("revision") == both.site.revision)


def test_what_a_running_system_reports_to_the_other_head_node_is_known_there(both: Pair, tmp_path: Path) -> None:
    machine = both.site.machine()
    token = machine.hand_over()
    kill(both.first)
    assert re.fullmatch(r"[\w.=-]+", token)
    steps = 'report system.report state=running > "$WORK/answer"\n'

    stage1 = both.stage1(tmp_path, steps, address=machine.address, token=token)

    assert stage1.wait(100), "the report does not end"
    eventually(lambda: machine.node in {event.node for event in both.events("ready")[1]})
    assert (tmp_path / "answer").read_text().count(".") == 1
