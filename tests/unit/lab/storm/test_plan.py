from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from provisioner.errors import ProvisionerError
from provisioner.lab.storm import scratch
from provisioner.lab.storm.plan import Plan, Weather, read_crowd, write_crowd


def test_a_crowd_comes_back_from_its_file(tmp_path: Path) -> None:
    plan = Plan(head="10.64.0.1", relay="10.64.0.2", weather=Weather(loss=0.01), link=5)
    machines = scratch.clients(3)

    write_crowd(tmp_path / "crowd", plan, machines)

    assert read_crowd(tmp_path / "crowd") == (plan, machines)


def test_every_machine_has_a_name_a_mac_and_an_address_of_its_own_in_the_network() -> None:
    machines = scratch.clients(70_000)

    assert len({(each.name, each.mac, each.address) for each in machines}) == 70_000
    assert len({each.address for each in machines}) == len({each.mac for each in machines}) == 70_000
    assert all(IPv4Address(each.address) in scratch.NETWORK for each in machines[::1000])
    assert not {each.address for each in machines} & {str(scratch.HEAD.ip), str(scratch.RELAY)}


def test_more_machines_than_addresses_are_refused() -> None:
    with pytest.raises(ProvisionerError, match="more than a storm has addresses for"):
        scratch.clients(scratch.MOST_NODES + 1)
