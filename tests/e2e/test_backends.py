"""Six NICs with bonds, VLANs, both families and routes on them come up by every network backend that Debian has.

One node boots four times, each time with another backend. At the other end of its cables is a machine that answers
for switches, routers and the hosts behind them (tests/support/peervm.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support import backendvm, peervm
from tests.support.backendstate import Route, State
from tests.support.backendvm import BACKENDS, BackendSite

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]


@dataclass(frozen=True)
class Device:
    """What a device has to be like; `mac` None where nobody wrote one down."""

    mtu: int
    mac: str | None
    addresses: frozenset[str] = frozenset()
    kind: str | None = None
    under: str | None = None
    master: str | None = None


def device(mtu: int, mac: str | None, *addresses: str, **more: str) -> Device:
    return Device(mtu, mac, frozenset(addresses), **more)


DEVICES = {
    "eth0": device(1500, "52:54:00:00:00:00", "10.0.1.1/16", "fd00::11/64"),
    "eth1": device(9000, None, master="bond0"),
    "eth2": device(9000, None, master="bond0"),
    "eth3": device(1500, "52:54:00:00:01:01", master="bond1"),
    "eth4": device(1500, "52:54:00:00:01:01", master="bond1"),
    "eth5": device(1500, "52:54:00:00:00:05", "10.8.0.11/24"),
    "bond0": device(9000, None, "10.9.0.11/24", "fd09::11/64", kind="bond"),
    "bond1": device(1500, "52:54:00:00:01:01", kind="bond"),
    "bond0.100": device(1500, None, "10.100.0.11/24", "fd64::11/64", kind="vlan", under="bond0"),
    "bond1.200": device(1500, "52:54:00:00:01:01", "10.200.0.11/24", kind="vlan", under="bond1"),
    "storage6": device(1500, "52:54:00:00:00:05", "fd30::11/64", kind="vlan", under="eth5"),
    "boot.400": device(1500, "52:54:00:00:00:00", "10.40.0.11/24", kind="vlan", under="eth0"),
}
VLAN_IDS = {"bond0.100": 100, "bond1.200": 200, "storage6": 300, "boot.400": 400}
ROUTES = {
    Route("10.7.0.0/16", "10.8.0.254", "eth5"),
    Route("10.20.0.0/16", "10.9.0.254", "bond0", metric=50),
    Route("10.21.0.0/16", "10.99.0.1", "bond0", on_link=True),
    Route("fd20::/48", "fd09::fe", "bond0", metric=60),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackendSite]:
    with BackendSite.make(tmp_path_factory.mktemp("site"), backendvm.image_store()) as site:
        site.start_peer()
        yield site


@pytest.fixture(params=BACKENDS)
def state(site: BackendSite, request: pytest.FixtureRequest) -> State:
    """The node under one backend, booted by the first test that asks."""
    return site.state(request.param)


def test_the_node_is_ready_and_no_unit_failed(state: State) -> None:
    assert (state.boot.state, state.boot.reason) == ("ready", "")
    assert state.answers["failed"].strip() == ""


def test_only_this_backend_ran(state: State) -> None:
    active = state.answers["units"].split()
    running = {name for name, units in backendvm.UNITS.items() if set(units) & set(active)}

    assert running == {backendvm.program_of(state.backend)}


def test_every_address_at_the_far_ends_answers(state: State) -> None:
    assert state.answered == set(peervm.ANSWERING)


def test_every_address_is_reached_by_its_device(state: State) -> None:
    lines = state.answers["ways"].splitlines()
    found = {line.split()[0]: re.findall(r" dev (\S+)", line)[0] for line in lines if line}

    assert found == peervm.ANSWERING


def test_every_device_is_up_with_its_name_size_and_addresses(state: State) -> None:
    for name, wanted in DEVICES.items():
        found = state.devices[name]
        assert found["mtu"] == wanted.mtu, name
        assert wanted.mac in (None, found["address"]), name
        assert state.addresses(name) == wanted.addresses, name
        assert "LOWER_UP" in found["flags"], name
        assert (found.get("link"), found.get("master")) == (wanted.under, wanted.master), name
        assert found.get("linkinfo", {}).get("info_kind") == wanted.kind, name


def test_there_are_no_devices_that_nobody_wrote_down(state: State) -> None:
    assert set(state.devices) - {"late.500"} == {"lo", *DEVICES}


def test_every_vlan_has_its_number(state: State) -> None:
    found = {name: state.devices[name]["linkinfo"]["info_data"]["id"] for name in VLAN_IDS}

    assert found == VLAN_IDS


def test_a_device_that_is_not_for_the_boot_stays_down(state: State) -> None:
    assert "UP" not in state.devices.get("late.500", {"flags": []})["flags"]


def test_the_ports_of_the_bond_agree_with_the_switch_about_lacp(state: State) -> None:
    bond = state.answers["bond0"]

    assert "Bonding Mode: IEEE 802.3ad Dynamic link aggregation\nTransmit Hash Policy: layer3+4 (1)" in bond
    for line in (
        *("MII Polling Interval (ms): 200", "Up Delay (ms): 400", "Down Delay (ms): 600", "LACP rate: fast"),
        *("Number of ports: 2", f"Partner Mac Address: {peervm.LACP_MAC}"),
    ):
        assert line in bond
    assert set(re.findall(r"Slave Interface: (\S+)", bond)) == {"eth1", "eth2"}
    # 63: both ends are active and quick, in one bundle and in step, and neither uses defaults.
    assert re.findall(r"port state: (\d+)", bond) == ["63"] * 4


def test_the_bond_with_a_spare_uses_one_of_its_ports(state: State) -> None:
    bond = state.answers["bond1"]

    assert "Bonding Mode: fault-tolerance (active-backup)" in bond
    assert "MII Polling Interval (ms): 100" in bond
    assert set(re.findall(r"Slave Interface: (\S+)", bond)) == {"eth3", "eth4"}
    assert re.findall(r"Currently Active Slave: (\S+)", bond)[0] in {"eth3", "eth4"}


def test_no_port_of_a_bond_comes_and_goes(state: State) -> None:
    assert len(re.findall(r"bond\d: \(slave eth\d\): Releasing", state.answers["kernel"])) == 0


def test_static_routes_have_their_routers_and_metrics(state: State) -> None:
    assert {route for route in state.routes if route.to != "default"} == ROUTES


def test_the_gateway_of_a_device_takes_the_place_of_the_network_s(state: State) -> None:
    found = {route for route in state.routes if route.to == "default" and ":" not in route.via}

    assert found == {Route("default", "10.200.0.254", "bond1.200")}


def test_of_two_default_routes_that_of_the_boot_device_is_the_best(state: State) -> None:
    found = {route for route in state.routes if route.to == "default" and ":" in route.via}

    assert found == {
        Route("default", "fd00::fe", "eth0", metric=1024),
        Route("default", "fe80::1", "storage6", metric=1124),
    }


def test_frames_of_nine_thousand_bytes_pass_the_bond(state: State) -> None:
    assert "1 received" in state.answers["jumbo"]


def test_no_device_listens_to_routers(state: State) -> None:
    listening = re.findall(r"^(\S+)/accept_ra:1$", state.answers["routers"], re.MULTILINE)

    # No address is ever made for the members of a bond, whatever this says.
    assert set(listening) & set(DEVICES) <= {"eth1", "eth2", "eth3", "eth4"}


def test_the_c_library_asks_the_name_servers_of_the_network(state: State) -> None:
    lines = state.answers["resolv"].splitlines()
    domains = next(line.split()[1:] for line in lines if line.startswith("search "))
    servers = [line.split()[1] for line in lines if line.startswith("nameserver ")]

    assert domains[:2] == ["cluster.local", "example.org"]
    assert servers[:2] == ["10.0.0.53", "fd00::53"]


def test_the_address_that_stage_1_has_set_is_never_gone(state: State) -> None:
    changes = state.answers["changes"].splitlines()

    # The witness was there before the backend: it saw an address come and go that belongs to nobody.
    assert any("198.51.100.1" in line for line in changes)
    assert any("10.9.0.11" in line for line in changes)
    assert [line for line in changes if "Deleted" in line and "10.0.1.1/" in line] == []
