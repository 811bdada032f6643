from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from provisioner.dhcp.lease import Lease, Leases, choose
from provisioner.model.address import MacAddress
from provisioner.model.written import AddressRange

POOL = AddressRange("10.0.9.1-10.0.9.4")
ONE, TWO = MacAddress("52:54:00:00:00:01"), MacAddress("52:54:00:00:00:02")


def everything(address: IPv4Address) -> bool:
    return True


def nothing(address: IPv4Address) -> bool:
    return False


def chosen(
    mac: MacAddress,
    leases: Leases,
    *,
    usable: Callable[[IPv4Address], bool] = everything,
    wanted: str | None = None,
    now: float = 0,
) -> IPv4Address | None:
    hint = IPv4Address(wanted) if wanted else None
    return choose(POOL, mac, leases=leases, usable=usable, wanted=hint, now=now)


def test_the_address_follows_from_the_mac_alone() -> None:
    assert chosen(ONE, Leases()) == chosen(ONE, Leases()) is not None


def test_a_crowd_at_a_full_pool_ends_the_search_for_this_second_and_not_for_those_who_have_an_address() -> None:
    leases, probes = Leases(), list[IPv4Address]()
    leases.keep(Lease(ONE, IPv4Address("10.0.9.1"), expires=99))

    def probed(address: IPv4Address) -> bool:
        probes.append(address)
        return address == IPv4Address("10.0.9.1")

    for number in range(1000):
        assert (
            chosen(MacAddress(f"52:54:01:00:{number >> 8:02x}:{number & 255:02x}"), leases, usable=probed) is None
        )
    assert len(probes) == 100 * 3

    assert chosen(ONE, leases, usable=probed) == IPv4Address("10.0.9.1")
    assert chosen(TWO, leases, wanted="10.0.9.3") == IPv4Address("10.0.9.3")
    assert chosen(TWO, leases) is None
    assert chosen(TWO, leases, now=1) is not None


def test_a_machine_keeps_what_it_has_whatever_it_asks_for() -> None:
    leases = Leases()
    leases.keep(Lease(ONE, IPv4Address("10.0.9.2"), expires=10))

    assert chosen(ONE, leases, wanted="10.0.9.3") == IPv4Address("10.0.9.2")


def test_a_machine_gets_the_free_address_that_it_asks_for() -> None:
    assert chosen(ONE, Leases(), wanted="10.0.9.3") == IPv4Address("10.0.9.3")


def test_an_address_of_another_machine_is_free_again_when_its_lease_has_expired() -> None:
    leases = Leases()
    leases.keep(Lease(TWO, IPv4Address("10.0.9.3"), expires=10))

    assert chosen(ONE, leases, wanted="10.0.9.3", now=9) != IPv4Address("10.0.9.3")
    assert chosen(ONE, leases, wanted="10.0.9.3", now=10) == IPv4Address("10.0.9.3")


def test_an_address_outside_the_pool_is_not_given_on_request() -> None:
    assert chosen(ONE, Leases(), wanted="10.0.9.5") in {IPv4Address(f"10.0.9.{n}") for n in range(1, 5)}


def test_a_full_pool_gives_nothing() -> None:
    assert chosen(ONE, Leases(), usable=nothing) is None


def test_a_blocked_address_is_nobodys_until_the_block_expires() -> None:
    leases = Leases()
    leases.keep(Lease(ONE, IPv4Address("10.0.9.2"), expires=10))
    leases.keep(Lease(None, IPv4Address("10.0.9.2"), expires=10))

    assert leases.of(ONE, 0) is None
    assert chosen(ONE, leases, wanted="10.0.9.2") != IPv4Address("10.0.9.2")


@given(st.sets(st.integers(0, 2**48 - 1), min_size=4, max_size=4))
def test_as_many_machines_as_addresses_all_get_one(numbers: set[int]) -> None:
    leases = Leases()
    for number in numbers:
        mac = MacAddress.from_bytes(number.to_bytes(6, "big"))
        address = chosen(mac, leases)
        assert address is not None
        leases.keep(Lease(mac, address, expires=10))

    assert {str(leases.at(IPv4Address(f"10.0.9.{n}"), 0)) for n in range(1, 5)}.isdisjoint({"None"})


class LeasesMachine(RuleBasedStateMachine):
    """No two machines ever hold one address, whatever is kept, dropped and forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.leases = Leases()
        self.now = 0.0

    @rule(mac=st.sampled_from([ONE, TWO]), last=st.integers(1, 3), life=st.integers(1, 5))
    def keep(self, mac: MacAddress, last: int, life: int) -> None:
        self.leases.keep(Lease(mac, IPv4Address(f"10.0.9.{last}"), self.now + life))

    @rule(last=st.integers(1, 3))
    def block(self, last: int) -> None:
        self.leases.keep(Lease(None, IPv4Address(f"10.0.9.{last}"), self.now + 5))

    @rule(mac=st.sampled_from([ONE, TWO]))
    def drop(self, mac: MacAddress) -> None:
        self.leases.drop(mac)
        assert self.leases.of(mac, self.now) is None

    @rule(seconds=st.integers(0, 6))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def both_indexes_agree(self) -> None:
        for mac in (ONE, TWO):
            lease = self.leases.of(mac, self.now)
            assert lease is None or self.leases.at(lease.address, self.now) is lease


TestLeases = LeasesMachine.TestCase
