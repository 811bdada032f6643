"""What a machine boots, and why."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Address

from provisioner.boot.policy import decide
from provisioner.model.address import MacAddress
from provisioner.model.boot import Boot, Local, Machine, MemoryTest, Refused, Unknown
from provisioner.model.bootcontrol import Control, Fallback, Once
from provisioner.model.catalogue import Catalogue
from provisioner.model.resolved import ResolvedBoot, ResolvedRoot, Source
from provisioner.model.written import BootSource, Dhcp6Mode, RootKind
from tests.support import resolved


def test_a_known_machine_boots_the_current_generation_of_its_image() -> None:
    decision = decide(resolved.snapshot(), resolved.catalogue(1, 2), Machine(resolved.MAC1))

    assert isinstance(decision, Boot)
    assert decision.generation.name == "debian-12@2"
    assert decision.reason == "n001 boots debian-12@2 (image set at groups.d/compute.yaml:3 (group compute))"


def test_a_node_that_names_a_generation_keeps_to_it() -> None:
    snapshot = resolved.snapshot(resolved.node(image="debian-12@1"))

    decision = decide(snapshot, resolved.catalogue(1, 2), Machine(resolved.MAC1))

    assert isinstance(decision, Boot)
    assert decision.generation.number == 1


def test_an_image_without_a_hash_tree_is_refused_to_a_node_whose_root_streams() -> None:
    snapshot = resolved.snapshot(resolved.node(root=ResolvedRoot(kind=RootKind.STREAM)))

    decision = decide(snapshot, resolved.catalogue(), Machine(resolved.MAC1))

    assert isinstance(decision, Refused)
    assert decision.reason.startswith("the image debian-12@1 of n001 cannot be streamed: its kernel has no nbd")
    assert decision.hint == "prov node set n001 root.kind=overlay"


def test_a_machine_that_no_node_describes_is_unknown() -> None:
    decision = decide(resolved.snapshot(), resolved.catalogue(), Machine(MacAddress("02:00:00:00:00:99")))

    assert isinstance(decision, Unknown)
    assert decision.reason == "no node has the MAC 02:00:00:00:00:99"


def test_a_node_without_an_image_is_refused_with_the_command_that_gives_it_one() -> None:
    decision = decide(resolved.snapshot(resolved.node(image=None)), resolved.catalogue(), Machine(resolved.MAC1))

    assert isinstance(decision, Refused)
    assert decision.hint == "prov node set n001 --image NAME"


def test_a_node_whose_image_is_gone_is_refused() -> None:
    decision = decide(resolved.snapshot(), Catalogue(), Machine(resolved.MAC1))

    assert isinstance(decision, Refused)
    assert decision.reason == "the image debian-12 of n001 does not exist"


def test_a_node_that_wants_another_kernel_than_its_image_has_is_refused() -> None:
    snapshot = resolved.snapshot(resolved.node(kernel_version="5.14"))

    decision = decide(snapshot, resolved.catalogue(), Machine(resolved.MAC1))

    assert isinstance(decision, Refused)
    assert decision.reason == "n001 wants the kernel 5.14, but debian-12@1 has 6.1.0-1-cloud-amd64"
    assert isinstance(
        decide(
            resolved.snapshot(resolved.node(kernel_version="6.1")), resolved.catalogue(), Machine(resolved.MAC1)
        ),
        Boot,
    )


def test_a_node_without_an_address_is_refused() -> None:
    bare = resolved.node(interfaces=(resolved.interface(resolved.MAC1, 1).model_copy(update={"ip": None}),))

    decision = decide(resolved.snapshot(bare), resolved.catalogue(), Machine(resolved.MAC1))

    assert isinstance(decision, Refused)
    assert "address" in decision.reason


def test_a_node_with_an_ipv6_address_alone_boots_where_ipv6_is_served() -> None:
    decision = decide(resolved.snapshot6(), resolved.catalogue(), Machine(resolved.MAC1))

    assert isinstance(decision, Boot)


def test_a_node_with_an_ipv6_address_alone_is_refused_where_nothing_answers_it() -> None:
    silent = resolved.snapshot6(dhcp6=Dhcp6Mode.OFF, server6=IPv6Address("fd00::1"))

    decision = decide(silent, resolved.catalogue(), Machine(resolved.MAC1))

    assert isinstance(decision, Refused)
    expected = "n001 has an IPv6 address alone on eth0, and nothing is served over IPv6 on the network provision"
    assert decision.reason == expected
    assert "dhcp6: authoritative" in decision.hint


def test_the_interface_with_the_mac_that_asks_is_the_one_that_boots() -> None:
    second = resolved.interface(resolved.MAC2, 77, name="eth1")
    node = resolved.node(interfaces=(resolved.interface(resolved.MAC1, 1), second))

    decision = decide(resolved.snapshot(node), resolved.catalogue(), Machine(resolved.MAC2))

    assert isinstance(decision, Boot)
    assert decision.interface == second


def test_a_revoked_generation_is_refused_with_the_command_that_releases_it() -> None:
    known = replace(resolved.catalogue(1, 2), revoked={"debian-12": frozenset({2})})

    decision = decide(resolved.snapshot(), known, Machine(resolved.MAC1))

    assert isinstance(decision, Refused)
    assert decision.reason == "the image debian-12@2 of n001 is revoked"
    assert decision.hint.startswith("prov image release debian-12@2")


def test_a_node_that_boots_its_own_disk_needs_no_image() -> None:
    source = Source(file="nodes.d/x.yaml", line=2, entry="node n001")
    node = resolved.node(
        image=None, boot=ResolvedBoot(source=BootSource.DISK), provenance={"boot.source": (source,)}
    )

    decision = decide(resolved.snapshot(node), Catalogue(), Machine(resolved.MAC1))

    assert isinstance(decision, Local)
    assert decision.reason == "n001 boots its own disk (boot.source set at nodes.d/x.yaml:2 (node n001))"


def once(what: str) -> Control:
    return Control(Once(what, 1.0, "root"))


def test_an_ordered_generation_goes_before_the_one_that_is_assigned() -> None:
    decision = decide(resolved.snapshot(), resolved.catalogue(1, 2), Machine(resolved.MAC1), once("debian-12@1"))

    assert isinstance(decision, Boot)
    assert decision.generation.name == "debian-12@1"
    assert decision.reason == "n001 boots debian-12@1 (once debian-12@1, ordered by root)"


def test_an_ordered_generation_boots_a_node_that_has_no_image() -> None:
    snapshot = resolved.snapshot(resolved.node(image=None))

    assert isinstance(decide(snapshot, resolved.catalogue(), Machine(resolved.MAC1), once("debian-12@1")), Boot)


def test_an_ordered_generation_that_is_gone_is_refused_and_not_replaced() -> None:
    decision = decide(resolved.snapshot(), resolved.catalogue(1), Machine(resolved.MAC1), once("debian-12@7"))

    assert isinstance(decision, Refused)
    assert decision.reason == "the image debian-12@7 of n001 does not exist"


def test_a_rescue_is_a_boot_of_the_nodes_generation_that_stops_before_the_root() -> None:
    decision = decide(resolved.snapshot(), resolved.catalogue(1, 2), Machine(resolved.MAC1), once("rescue"))

    assert isinstance(decision, Boot)
    assert decision.rescue
    assert decision.reason.startswith("n001 boots a rescue shell of debian-12@2 (once rescue, ordered by root; ")


def test_the_disk_and_a_memory_test_need_neither_image_nor_address() -> None:
    bare = resolved.node(image=None)

    for what, kind in (("disk", Local), ("memtest", MemoryTest)):
        decision = decide(resolved.snapshot(bare), Catalogue(), Machine(resolved.MAC1), once(what))
        assert isinstance(decision, kind)
        assert "ordered by root" in decision.reason


def test_a_node_whose_boots_failed_gets_its_last_good_generation_and_a_rescue_has_it_too() -> None:
    fallback = Fallback("debian-12@2", "debian-12@1", 5.0, 3)

    for order in (None, Once("rescue", 1.0, "root")):
        control = Control(order, fallback)
        decision = decide(resolved.snapshot(), resolved.catalogue(1, 2), Machine(resolved.MAC1), control)
        assert isinstance(decision, Boot)
        assert decision.generation.name == "debian-12@1"
        assert "last good: debian-12@1, because 3 boots of debian-12@2 failed" in decision.reason


def test_orders_change_nothing_for_a_machine_that_no_node_describes() -> None:
    decision = decide(resolved.snapshot(), Catalogue(), Machine(MacAddress("02:00:00:00:00:99")), once("disk"))

    assert isinstance(decision, Unknown)
