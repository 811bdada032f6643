"""The ladder of identity: which rungs a boot held, and what spoke against it."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from provisioner.model.boot import BootRecord, TokenStage
from provisioner.model.event import Event, Level, Stage
from provisioner.model.identity import Identity, Rung
from provisioner.operations.identity import identity
from tests.support import resolved

_UUID = UUID("4c4c4544-0042-3510-8052-b4c04f313233")
BOOT = BootRecord("b1", "n001", resolved.MAC1, "debian-12@1", "ab", 1.0, TokenStage.STAGE1, "stage1", 2.0)
NODE = resolved.node(uuid=_UUID, serial="ABC123", tags={"port": "10.0.0.9 sw1:7"})


def shown(**data: str) -> Event:
    return Event(1.0, Stage.DHCP, "dhcp.discover", "DISCOVER from iPXE", data=data)


def test_a_mac_alone_is_the_lowest_rung() -> None:
    waiting = replace(BOOT, stage=TokenStage.SCRIPT)

    assert identity(resolved.node(), waiting, [shown(program="ipxe")]).held == (Rung.MAC,)


def test_a_boot_that_used_the_token_of_its_script_holds_the_highest_rung() -> None:
    assert identity(resolved.node(), BOOT, []) == Identity((Rung.MAC, Rung.TOKEN))


@pytest.mark.parametrize("data", [{"uuid": str(_UUID).upper()}, {"serial": "abc123"}])
def test_the_hardware_counts_when_it_shows_what_is_written(data: dict[str, str]) -> None:
    assert Rung.HARDWARE in identity(NODE, BOOT, [shown(**data)]).held


def test_hardware_that_shows_something_else_is_a_doubt_and_no_rung() -> None:
    found = identity(NODE, BOOT, [shown(uuid=str(_UUID), serial="XYZ")])

    assert Rung.HARDWARE not in found.held
    assert found.doubts == ("serial xyz, where abc123 is written",)


def test_hardware_that_shows_nothing_or_is_not_written_is_neither() -> None:
    assert identity(NODE, BOOT, [shown()]) == Identity((Rung.MAC, Rung.TOKEN))
    assert identity(resolved.node(), BOOT, [shown(uuid=str(_UUID))]) == Identity((Rung.MAC, Rung.TOKEN))


def test_the_port_that_a_relay_told_counts_against_the_tag() -> None:
    assert Rung.PORT in identity(NODE, BOOT, [shown(relay="10.0.0.9", circuit="sw1:7")]).held
    assert identity(NODE, BOOT, [shown(relay="10.0.0.9", circuit="sw1:8")]).doubts == (
        "port 10.0.0.9 sw1:8, where 10.0.0.9 sw1:7 is written",
    )


def test_an_alarm_of_the_boot_is_a_doubt() -> None:
    alarm = Event(1.0, Stage.SITE, "access.denied", "GET root: comes from another node", Level.ALARM)

    assert identity(NODE, BOOT, [alarm]).doubts == ("GET root: comes from another node",)


def test_it_reads_as_a_line() -> None:
    found = Identity((Rung.MAC, Rung.TOKEN), ("port sw1:8, where sw1:7 is written",))

    assert str(found) == "token (mac, token); in doubt: port sw1:8, where sw1:7 is written"
    assert (str(Identity()), Identity().rung) == ("nothing", Rung.NOTHING)


def test_a_node_that_is_gone_leaves_what_the_boot_itself_proves() -> None:
    assert identity(None, BOOT, [shown(uuid=str(_UUID))]).rung is Rung.TOKEN
