from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import psutil
import pytest

from provisioner.daemon.footing import Footing
from provisioner.daemon.services import Place, Wiring
from provisioner.host import net
from provisioner.model.event import Event
from provisioner.model.snapshot import Snapshot
from provisioner.model.tally import Tally
from tests.support.packets import demo
from tests.support.resolved import catalogue

HEAD, HEAD6 = IPv4Address("10.77.0.1"), IPv6Address("fd77::1")


class Reluctant:
    """A service that starts while it may."""

    may = True

    async def start(self) -> None:
        if not self.may:
            raise OSError("Too many open files")

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def addresses6(monkeypatch: pytest.MonkeyPatch) -> dict[IPv6Address, str]:
    """The IPv6 addresses that the machine has."""
    found = {HEAD6: "lo"}
    monkeypatch.setattr(net, "addresses", lambda: {HEAD: "lo"})
    monkeypatch.setattr(net, "addresses6", lambda: found)
    monkeypatch.setattr(psutil, "net_if_stats", dict)
    return found


def footing(events: list[Event], service: Reluctant, address6: IPv6Address | None) -> Footing:
    """A network where NBD is all that is served."""
    written = {"cluster": "demo", "ports": {"dhcp": 0, "tftp": 0, "dns": 0}}
    site = demo().site.model_validate({**written, "networks": {"provision": {"cidr": "10.77.0.0/24"}}})
    snapshot = Snapshot.build("1", site, [])
    wiring = Wiring(
        lambda: snapshot, catalogue, {}, events.append, Tally(), serial=lambda _: 1, nbd=lambda _address: service
    )
    return Footing(Place("provision", "lo", HEAD, address6), wiring, site.ports)


async def test_an_ipv6_address_that_is_gone_is_told(addresses6: dict[IPv6Address, str]) -> None:
    events: list[Event] = []
    under_test = footing(events, Reluctant(), HEAD6)
    await under_test.start()
    addresses6.clear()

    await under_test.look()

    assert [each.name for each in events] == ["network.lost"]
    assert str(HEAD6) in under_test.trouble
    await under_test.close()


@pytest.mark.usefixtures("addresses6")
async def test_services_of_which_one_does_not_start_are_tried_again() -> None:
    events: list[Event] = []
    service = Reluctant()
    under_test = footing(events, service, None)
    await under_test.start()
    await under_test.close()
    service.may = False

    await under_test.look()
    await under_test.look()
    service.may = True
    await under_test.look()

    assert [(each.name, each.message) for each in events[:1]] == [("network.lost", "Too many open files")]
    assert [each.name for each in events[1:]] == ["network.back"]
    await under_test.close()
