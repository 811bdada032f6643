from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from provisioner.daemon.places import places_of
from provisioner.host import net
from provisioner.model.snapshot import Snapshot
from tests.support.packets import demo


def test_a_place_names_the_other_networks_on_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    networks = {name: {"cidr": f"10.{number}.0.0/24"} for number, name in enumerate(("one", "two", "three"))}
    site = demo().site.model_validate({"cluster": "demo", "networks": networks})
    devices = {IPv4Address("10.0.0.1"): "eth0", IPv4Address("10.1.0.1"): "eth1", IPv4Address("10.2.0.1"): "eth0"}
    monkeypatch.setattr(net, "addresses", lambda: devices)

    places = places_of(Snapshot.build("1", site, []))

    assert [each.beside for each in places] == [{"three"}, frozenset(), {"one"}]
