"""The access rule: every stage against every resource, and time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioner.boot.access import Denied, Requester, Resource, access, requester_of, script_access
from provisioner.boot.ledger import REPEAT_WINDOW
from provisioner.boot.policy import decide
from provisioner.model.address import MacAddress
from provisioner.model.boot import Boot, BootRecord, Machine, TokenStage
from provisioner.model.event import Level
from provisioner.trust.token import Claims
from tests.support import resolved
from tests.support.resolved import MAC1, REVISION

OPEN = {
    (TokenStage.SCRIPT, Resource.KERNEL),
    (TokenStage.SCRIPT, Resource.STAGE1),
    (TokenStage.SCRIPT, Resource.UKI),
    (TokenStage.SCRIPT, Resource.REFUSED),
    (TokenStage.SCRIPT, Resource.ARCHIVE),
    (TokenStage.SCRIPT, Resource.NODE),
    (TokenStage.STAGE1, Resource.SHEET),
    (TokenStage.STAGE1, Resource.ROOT),
    (TokenStage.STAGE1, Resource.SYSTEM_OVERLAY),
    (TokenStage.STAGE1, Resource.REPORT),
    (TokenStage.STAGE1, Resource.LOG),
    (TokenStage.STAGE1, Resource.HARDWARE),
    (TokenStage.STAGE1, Resource.TPM),
    (TokenStage.STAGE1, Resource.QUOTE),
    (TokenStage.SYSTEM, Resource.RUNTIME_OVERLAY),
    (TokenStage.SYSTEM, Resource.REPORT),
    (TokenStage.STREAM, Resource.STREAM),
}


def record(stage: TokenStage, *, changed: float = 100.0) -> BootRecord:
    return BootRecord("b1", "n001", MAC1, "debian-12@1", REVISION, 50.0, stage, stage.value, changed)


def claims(stage: TokenStage) -> Claims:
    return Claims("n001", MAC1, "b1", "debian-12@1", REVISION, stage, 9999, ("10.0.250.7", "10.0.1.1"))


@pytest.mark.parametrize("stage", list(TokenStage))
@pytest.mark.parametrize("resource", list(Resource))
def test_a_token_opens_what_its_stage_needs_and_nothing_else(stage: TokenStage, resource: Resource) -> None:
    denied = access(claims(stage), record(stage), resource, requester=Requester.ITSELF, now=100.0)

    assert (denied is None) == ((stage, resource) in OPEN)


@pytest.mark.parametrize(("stage", "resource"), sorted(OPEN))
@pytest.mark.parametrize("reached", list(TokenStage))
def test_a_token_of_a_closed_stage_is_an_alarm(stage: TokenStage, resource: Resource, reached: TokenStage) -> None:
    denied = access(
        claims(stage), record(reached), resource, requester=Requester.ITSELF, now=100.0 + REPEAT_WINDOW
    )

    closed = list(TokenStage).index(reached) > list(TokenStage).index(stage)
    assert (denied is not None) == closed
    if denied:
        assert denied == Denied(f"stage {stage} of boot b1 is closed", Level.ALARM)


def test_a_closing_report_may_be_repeated_for_a_minute() -> None:
    stage = claims(TokenStage.STAGE1)
    closed = record(TokenStage.SYSTEM, changed=100.0)

    assert (
        access(stage, closed, Resource.REPORT, requester=Requester.ITSELF, now=100.0 + REPEAT_WINDOW - 1) is None
    )
    assert access(stage, closed, Resource.ROOT, requester=Requester.ITSELF, now=100.0) is not None


def test_a_token_of_an_earlier_boot_is_an_alarm() -> None:
    denied = access(claims(TokenStage.SYSTEM), None, Resource.REPORT, requester=Requester.ITSELF, now=100.0)

    assert denied is not None
    assert "booted again" in denied.reason


@pytest.mark.parametrize("resource", [Resource.SHEET, Resource.ROOT, Resource.SYSTEM_OVERLAY])
def test_a_boot_that_has_failed_gets_nothing_more(resource: Resource) -> None:
    failed = replace(record(TokenStage.STAGE1), state="failed")

    assert access(claims(TokenStage.STAGE1), failed, resource, requester=Requester.ITSELF, now=100.0) is not None
    assert (
        access(claims(TokenStage.STAGE1), failed, Resource.REPORT, requester=Requester.ITSELF, now=100.0) is None
    )


PARTY = {
    "10.0.250.7": Requester.ITSELF,
    "10.0.1.1": Requester.ITSELF,
    "10.0.1.2": Requester.ANOTHER_NODE,
    "192.0.2.9": Requester.STRANGER,
}
SNAPSHOT = resolved.snapshot(resolved.node(), resolved.node("n002", mac=resolved.MAC2, host=2))
DECIDED = decide(SNAPSHOT, resolved.catalogue(), Machine(resolved.MAC1))
assert isinstance(DECIDED, Boot)
DECISION = DECIDED
RESOURCES: tuple[Resource | str, ...] = ("script", *Resource)
HOLDERS: tuple[TokenStage | None, ...] = (None, *TokenStage)


def is_let_in(resource: Resource | str, holder: TokenStage | None, reached: TokenStage, remote: str) -> bool:
    """What the rules of the module say of one request."""
    if resource == "script":
        return script_access(DECISION, resolved.MAC1, remote, snapshot=SNAPSHOT, holder=None) is None
    if holder is None:
        return False
    requester = requester_of(claims(holder), remote, SNAPSHOT)
    return access(claims(holder), record(reached), Resource(resource), requester=requester, now=1e6) is None


@pytest.mark.parametrize("resource", RESOURCES)
@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("reached", list(TokenStage))
@pytest.mark.parametrize("remote", list(PARTY))
def test_every_party_gets_what_it_needs_at_its_time_and_nothing_else(
    resource: Resource | str, holder: TokenStage | None, reached: TokenStage, remote: str
) -> None:
    # The whole matrix: who asks, with which token, in which stage of the boot, for what.
    if resource == "script":
        # No token is asked for: the address that the node has is what decides.
        assert is_let_in(resource, holder, reached, remote) == (remote == "10.0.1.1")
        return
    order, party = list(TokenStage), PARTY[remote]
    in_time = holder is not None and order.index(holder) >= order.index(reached)
    right_place = party is Requester.ITSELF or (
        party is Requester.STRANGER and holder in (TokenStage.SYSTEM, TokenStage.STREAM)
    )

    assert is_let_in(resource, holder, reached, remote) == ((holder, resource) in OPEN and in_time and right_place)


@pytest.mark.parametrize(("remote", "party"), PARTY.items())
def test_the_sender_is_told_by_where_the_boot_speaks_from_and_what_is_written(
    remote: str, party: Requester
) -> None:
    assert requester_of(claims(TokenStage.STAGE1), remote, SNAPSHOT) is party


def test_an_address_that_the_node_got_by_an_edit_since_is_its_own() -> None:
    moved = resolved.snapshot(resolved.node(host=7))

    assert requester_of(claims(TokenStage.SYSTEM), "10.0.1.7", moved) is Requester.ITSELF
    assert requester_of(claims(TokenStage.SYSTEM), "10.0.1.1", moved) is Requester.ITSELF


@pytest.mark.parametrize("remote", ["::ffff:10.0.1.1", "fd00::1"])
def test_a_node_is_known_by_its_addresses_of_both_families(remote: str) -> None:
    assert requester_of(claims(TokenStage.STAGE1), remote, SNAPSHOT) is Requester.ITSELF


def test_a_token_in_the_hands_of_another_node_is_an_alarm_that_names_both() -> None:
    stolen = access(
        claims(TokenStage.SYSTEM),
        record(TokenStage.SYSTEM),
        Resource.REPORT,
        requester=Requester.ANOTHER_NODE,
        now=1.0,
    )

    assert stolen == Denied("a token of n001 comes from another node, and not from 10.0.250.7", Level.ALARM)


def test_the_holder_of_an_address_of_the_pool_gets_its_script_there() -> None:
    def denied(holder: MacAddress) -> Denied | None:
        return script_access(DECISION, resolved.MAC1, "10.0.250.7", snapshot=SNAPSHOT, holder=holder)

    assert denied(resolved.MAC1) is None
    assert denied(resolved.MAC2) == Denied("10.0.250.7 asks for the script of n001 (10.0.1.1/16)", Level.ALARM)


@pytest.mark.parametrize(
    ("remote", "is_its_own"),
    [("fd00::11", True), ("fd00::12", False), ("fe80::5054:ff:fe00:1", False), ("10.0.1.11", False)],
)
def test_the_script_of_a_node_with_an_ipv6_address_alone_is_for_that_address(
    remote: str, is_its_own: bool
) -> None:
    snapshot = resolved.snapshot6()
    decision = decide(snapshot, resolved.catalogue(), Machine(resolved.MAC1))
    assert isinstance(decision, Boot)

    denied = script_access(decision, resolved.MAC1, remote, snapshot=snapshot, holder=None)

    refusal = Denied(f"{remote} asks for the script of n001 (fd00::11/64)", Level.ALARM)
    assert denied == (None if is_its_own else refusal)


def test_where_another_server_gives_out_ipv4_addresses_a_node_may_ask_from_any_of_them() -> None:
    snapshot = resolved.snapshot6(resolved.node())
    decision = decide(snapshot, resolved.catalogue(), Machine(resolved.MAC1))
    assert isinstance(decision, Boot)

    def denied(remote: str) -> Denied | None:
        return script_access(decision, resolved.MAC1, remote, snapshot=snapshot, holder=None)

    assert denied("10.0.99.99") is None
    assert denied("fd00::1") is None
    assert denied("fd00::99") is not None
