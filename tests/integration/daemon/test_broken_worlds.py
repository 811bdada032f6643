"""What a machine room does to a head node: it keeps serving or says what is missing, and recovers by itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from provisioner.host.run import run
from provisioner.lab.storm import scratch
from tests.support.unpacked import program
from tests.support.world import World, until, world

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("nsenter", "ip"),
    pytest.mark.timeout(400),
]

DEVICE = "storm0"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[World]:
    """A head node that serves, and six machines."""
    with world(tmp_path, nodes=6) as made:
        made.daemon.start()
        yield made
        made.daemon.stop()
    assert "Traceback" not in made.log()


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True)
    run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", folder])
    try:
        yield
    finally:
        run(["umount", "--lazy", folder])


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as stream:
        for size in (1 << 20, 4096, 1):
            while _fits(stream.fileno(), size):
                pass


def _fits(handle: int, size: int) -> bool:
    try:
        return os.write(handle, bytes(size)) == size
    except OSError:
        return False


def test_nodes_boot_with_a_full_disk_and_the_records_go_on_when_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "site" / "var"), world(tmp_path, nodes=3) as place:
        place.daemon.start()
        place.boots(1)
        filler = place.paths.state / "filler"
        fill(filler)

        place.boots(2)
        until(lambda: "cannot be written" in place.log())

        filler.unlink()
        place.boots(3)
        until(lambda: len(place.events("ready")) >= 2)
        place.daemon.stop()


def test_nodes_boot_with_a_database_that_cannot_be_written(tmp_path: Path) -> None:
    with world(tmp_path, nodes=3) as place:
        place.daemon.start()
        place.boots(1)
        # The index in shared memory stays: writing to a mapped file that is refused ends any program (SIGBUS).
        files = (place.paths.events, place.paths.state / "events.sqlite-wal")
        run(["chattr", "+i", *files])
        try:
            place.boots(2)
            until(lambda: "cannot be written" in place.log())
        finally:
            run(["chattr", "-i", *files])

        place.boots(3)
        until(lambda: len(place.events("ready")) >= 2)
        place.daemon.stop()


def test_a_device_that_goes_down_is_told_and_serves_again_when_it_is_up(place: World) -> None:
    place.head.run(["ip", "link", "set", DEVICE, "down"])
    until(lambda: place.events("network.lost"))

    assert place.status()["daemon"]["missing"] == [
        f"{DEVICE}, the head node's device in network provision, is down"
    ]

    place.head.run(["ip", "link", "set", DEVICE, "up"])
    route_again(place)
    until(lambda: place.events("network.back"))
    place.boots(1)
    assert place.status()["daemon"]["missing"] == []


def test_an_address_that_is_taken_away_is_told_and_served_again_when_it_is_back(place: World) -> None:
    place.head.run(["ip", "address", "del", str(scratch.HEAD), "dev", DEVICE])
    until(lambda: place.events("network.lost"))

    (problem,) = place.status()["daemon"]["missing"]
    assert problem == f"no device has {scratch.HEAD.ip} any more, the head node's address in network provision"

    place.head.run(["ip", "address", "add", str(scratch.HEAD), "dev", DEVICE])
    route_again(place)
    until(lambda: place.events("network.back"))
    place.boots(1)


def test_an_address_that_moves_to_another_device_is_followed(place: World) -> None:
    # As when a device becomes part of a bridge or a bond.
    place.head.run(["ip", "link", "add", "br0", "type", "bridge"])
    place.head.run(["ip", "address", "del", str(scratch.HEAD), "dev", DEVICE])
    place.head.run(["ip", "link", "set", DEVICE, "master", "br0"])
    place.head.run(["ip", "address", "add", str(scratch.HEAD), "dev", "br0"])
    place.head.run(["ip", "link", "set", "br0", "up"])
    route_again(place)

    until(lambda: place.events("network.moved"))
    place.boots(1, 2)


def test_a_machine_that_boots_while_the_cable_is_out_gets_ready_when_it_is_in_again(place: World) -> None:
    clients = place.switch_on(1, 2)
    until(lambda: place.progress() > 0.2)
    place.head.run(["ip", "link", "set", DEVICE, "down"])
    until(lambda: place.events("network.lost"))
    place.head.run(["ip", "link", "set", DEVICE, "up"])
    route_again(place)

    assert all(each.ready for each in place.outcomes(clients))


def route_again(place: World) -> None:
    """The kernel drops the routes of a device that goes down or loses its address; here they are set again."""
    for machine in place.machines:
        place.head.run(["ip", "route", "replace", f"{machine.address}/32", "via", str(scratch.RELAY)])


@pytest.mark.needs("ip")
@pytest.mark.parametrize("jump", ["+2h", "-2h"])
def test_a_machine_that_boots_while_the_clock_jumps_gets_ready(tmp_path: Path, jump: str) -> None:
    now = tmp_path / "now"
    now.write_text("+0")
    library = program("usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
    words = (
        *("env", f"LD_PRELOAD={library}", f"FAKETIME_TIMESTAMP_FILE={now}", "FAKETIME_NO_CACHE=1"),
        # What jumps is the clock on the wall; nobody can set the other one.
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
    )
    with world(tmp_path, nodes=2, words=words) as place:
        place.daemon.start()
        clients = place.switch_on(1, 2)
        until(lambda: place.progress() > 0.2)
        now.write_text(jump)

        assert all(each.ready for each in place.outcomes(clients))
        place.boots(1)
        place.daemon.stop()
