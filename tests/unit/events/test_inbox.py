"""The inbox of unknown machines: bounded, and no flood pushes a real machine out."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.errors import IntegrityError
from provisioner.events.inbox import MOST, Inbox, read_inbox, write_inbox
from provisioner.model.event import Event, Stage

_MAC = "52:54:00:aa:00:01"


def _heard(inbox: Inbox, mac: str, *, node: str | None = None, time: float = 1.0, **data: object) -> None:
    passed: list[Event] = []
    event = Event(time, Stage.DHCP, "dhcp.ignored", "no", mac=mac, node=node, data=data)
    inbox.watching(passed.append)(event)
    assert passed == [event]


def test_a_machine_without_a_node_is_noted_and_one_of_a_node_is_not() -> None:
    inbox = Inbox()

    _heard(inbox, _MAC, firmware="bios", uuid="u1", relay="10.1.0.1", circuit="Eth1")
    _heard(inbox, "52:54:00:00:00:01", node="n001")

    machine, *others = inbox.machines()
    assert not others
    assert (machine.mac, machine.firmware, machine.circuit, machine.told) == (_MAC, "bios", "Eth1", False)


def test_what_is_asked_again_counts_and_keeps_its_arrival() -> None:
    inbox = Inbox()

    _heard(inbox, _MAC, time=1.0)
    inbox.tell(_MAC, {"serial": "A1"}, address="10.0.0.9", now=5.0)
    _heard(inbox, _MAC, time=7.0)

    machine = inbox.machines()[0]
    assert (machine.first, machine.last, machine.count, machine.serial) == (1.0, 7.0, 3, "A1")
    assert machine.told


def test_a_flood_by_dhcp_pushes_no_machine_out_that_told_of_itself() -> None:
    inbox = Inbox()
    inbox.tell(_MAC, {"serial": "A1"}, address="10.0.0.9", now=0.0)

    for number in range(3 * MOST):
        _heard(inbox, f"02:00:00:00:{number // 256:02x}:{number % 256:02x}", time=1.0 + number)

    assert _MAC in {each.mac for each in inbox.machines()}
    assert len(inbox.machines()) == MOST + 1


def test_one_address_that_speaks_for_many_machines_pushes_out_only_its_own() -> None:
    inbox = Inbox()
    inbox.tell(_MAC, {"serial": "A1"}, address="10.0.0.9", now=0.0)

    for number in range(3 * MOST):
        mac = f"02:00:00:00:{number // 256:02x}:{number % 256:02x}"
        inbox.tell(mac, {"serial": f"S{number}"}, address="10.0.0.66", now=1.0 + number)

    assert len(inbox.machines()) == 9
    assert _MAC in {each.mac for each in inbox.machines()}


def test_many_addresses_push_out_who_was_silent_the_longest() -> None:
    inbox = Inbox()

    for number in range(MOST + 1):
        mac = f"02:00:00:00:{number // 256:02x}:{number % 256:02x}"
        inbox.tell(mac, {}, address=f"10.0.{number // 256}.{number % 256}", now=float(number))

    macs = [each.mac for each in inbox.machines()]
    assert len(macs) == MOST
    assert macs[0] == "02:00:00:00:00:01"


def test_machines_that_became_nodes_are_forgotten() -> None:
    inbox = Inbox()
    _heard(inbox, _MAC)
    before = inbox.changes

    inbox.forget(lambda mac: mac == _MAC)

    assert inbox.machines() == ()
    assert inbox.changes > before


def test_the_next_daemon_goes_on_with_what_this_one_wrote(tmp_path: Path) -> None:
    inbox = Inbox()
    _heard(inbox, _MAC, firmware="bios")
    inbox.tell("52:54:00:aa:00:02", {"serial": "A2"}, address="10.0.0.9", now=2.0)

    write_inbox(tmp_path / "machines.json", inbox.machines())

    assert Inbox(read_inbox(tmp_path / "machines.json")).machines() == inbox.machines()


def test_a_file_that_is_something_else_is_named_and_none_is_empty(tmp_path: Path) -> None:
    assert read_inbox(tmp_path / "machines.json") == ()
    for text in ("no json", "[]", '{"machines": [{"mac": 1, "x": 2}]}'):
        (tmp_path / "machines.json").write_text(text)
        with pytest.raises(IntegrityError, match=r"machines\.json"):
            read_inbox(tmp_path / "machines.json")
