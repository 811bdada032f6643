from __future__ import annotations

from ipaddress import ip_address

import pytest

from provisioner.dns.guard import Budget, Standing, Standings, standing_of
from provisioner.model.snapshot import Snapshot
from tests.support.packets import demo


def site(**dns: object) -> Snapshot:
    base = demo(cidr6="fd77::/64")
    written = {**base.site.model_dump(mode="json", exclude_unset=True), "dns": dns}
    return Snapshot.build("1", type(base.site).model_validate(written), base.nodes.values())


SITE = site(clients=["192.0.2.0/24"], transfer=["198.51.100.7", "fd99::/16"])


@pytest.mark.parametrize(
    ("address", "standing"),
    [
        ("10.77.0.11", Standing.CLIENT),
        ("10.77.0.250", Standing.CLIENT),
        ("fd77::99", Standing.CLIENT),
        ("127.0.0.1", Standing.CLIENT),
        ("::1", Standing.CLIENT),
        ("192.0.2.200", Standing.CLIENT),
        ("198.51.100.7", Standing.SECONDARY),
        ("fd99::1", Standing.SECONDARY),
        ("198.51.100.8", Standing.STRANGER),
        ("10.78.0.1", Standing.STRANGER),
        ("fd78::1", Standing.STRANGER),
    ],
)
def test_machines_of_the_site_may_ask_and_others_by_what_is_written(address: str, standing: Standing) -> None:
    assert standing_of(ip_address(address), SITE) is standing


def test_a_sender_keeps_its_standing_until_the_site_is_another_one() -> None:
    standings = Standings()

    assert standings.of("192.0.2.1", SITE) is Standing.CLIENT
    assert standings.of("192.0.2.1", SITE) is Standing.CLIENT
    assert standings.of("192.0.2.1", demo()) is Standing.STRANGER


@pytest.mark.parametrize("source", ["fe80::1%eth0", "::ffff:10.78.0.1"])
def test_link_local_and_mapped_senders_are_read(source: str) -> None:
    assert Standings().of(source, SITE) is Standing.STRANGER


def test_an_ipv4_sender_in_ipv6_clothes_is_who_it_is() -> None:
    assert Standings().of("::ffff:10.77.0.11", SITE) is Standing.CLIENT


def test_small_replies_cost_nothing_and_large_ones_run_out_until_the_next_second() -> None:
    now = 100.0
    budget = Budget(lambda: now, octets=1000)

    assert all(budget.allows("10.0.0.1", 40, 80) for _ in range(10_000))
    assert [budget.allows("10.0.0.1", 40, 480) for _ in range(4)] == [True, True, False, False]
    assert budget.allows("10.0.0.2", 40, 480)

    now = 101.0
    assert budget.allows("10.0.0.1", 40, 480)


def test_strangers_share_a_bounded_number_of_refusals() -> None:
    now = 100.0
    budget = Budget(lambda: now, refusals=3)

    assert [budget.refuses() for _ in range(5)] == [True, True, True, False, False]
    now = 101.0
    assert budget.refuses()
