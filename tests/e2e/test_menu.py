"""What a real iPXE makes of the menu of a node, and of a memory test, chosen there or ordered."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

import pytest

from provisioner.lab.machine import MachineFirmware
from tests.support.realsite import BOOT_SECONDS, RealSite
from tests.support.unpacked import program

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1500)]

_TOOLS = ("memtest86+x64.bin", "memtest86+x64.efi")
_LAST_ITEM = "a test of its memory"
_RUNS = r"Memtest86\+ v\d"


@pytest.fixture(scope="module")
def site(cluster: RealSite) -> RealSite:
    """A head node with memtest86+ in a /boot of its own; n001 and n002 have a menu, n003 has none."""
    copied = " ".join(str(program(f"boot/{name}")) for name in _TOOLS)
    cluster.lab.run(["sh", "-ec", f"mount -t tmpfs tmpfs /boot; cp {copied} /boot"])
    cluster.prov("node", "set", "n[001-002]", "--yes", "boot.menu=true")
    assert cluster.lab.daemon is not None
    cluster.lab.daemon.stop()
    cluster.lab.daemon.start()
    return cluster


@dataclass(frozen=True)
class Seen:
    """The serial line of a machine, and the scripts that it got."""

    line: str
    scripts: list[str]


def scripts(site: RealSite, node: str) -> list[str]:
    return [event.name for event in site.events(node) if event.name.startswith("script.")]


@pytest.fixture(scope="module")
def chosen(site: RealSite) -> Seen:
    """Somebody at n001 goes down to the last entry, and takes it."""
    with site.boot(1) as machine:
        machine.wait_for(_LAST_ITEM, BOOT_SECONDS)
        with machine.control() as keyboard:
            for key in ("down", "down", "down", "ret"):
                keyboard.press(key)
        machine.wait_for(_RUNS, BOOT_SECONDS)
        return Seen(machine.serial.text(), scripts(site, "n001"))


def test_the_menu_shows_what_there_is_with_the_usual_boot_first(chosen: Seen) -> None:
    entries = ("n001 boots debian-12@1", "a rescue shell", "the machine's own disk", _LAST_ITEM)
    places = [chosen.line.find(entry) for entry in entries]

    assert "Provisioner: n001" in chosen.line
    assert -1 not in places
    assert places == sorted(places)


def test_what_is_chosen_at_the_keyboard_runs(chosen: Seen) -> None:
    assert re.search(_RUNS, chosen.line)
    assert chosen.scripts[-2:] == ["script.menu", "script.memtest"]


def test_nobody_at_the_keyboard_means_the_usual_boot(site: RealSite, chosen: Seen) -> None:
    with site.boot(2, firmware=MachineFirmware.UEFI) as machine:
        machine.wait_for(_LAST_ITEM, BOOT_SECONDS)
        site.wait_for_event("n002", "stage1.started")

    names = [event.name for event in site.events("n002")]
    assert names.index("script.menu") < names.index("script.boot") < names.index("stage1.started")


# Under UEFI memtest86+ wants a graphics card, which machines of the lab do not have: it starts, and says so.
@pytest.mark.parametrize(
    ("firmware", "started"),
    [(MachineFirmware.BIOS, _RUNS), (MachineFirmware.UEFI, r"set_screen_info\(\) failed")],
    ids=["bios", "uefi"],
)
def test_a_memory_test_that_was_ordered_is_started_by_any_firmware_without_a_menu(
    site: RealSite, firmware: MachineFirmware, started: str
) -> None:
    order = ["-m", "provisioner", "--root", str(site.root), "boot", "set", "n003", "--once", "memtest"]
    site.lab.run([sys.executable, *order])

    with site.boot(3, firmware=firmware) as machine:
        machine.wait_for(started, BOOT_SECONDS)
        assert "a rescue shell" not in machine.serial.text()
    assert scripts(site, "n003")[-1] == "script.memtest"
