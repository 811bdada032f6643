"""Unknown machines become nodes by what is written: the files after an acceptance, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, NotFoundError, ProvisionerError
from provisioner.events.inbox import write_inbox
from provisioner.events.store import EventStore
from provisioner.model.event import Event, Stage
from provisioner.model.machine import Shown
from provisioner.operations.change import commit, draft
from provisioner.operations.check import check
from provisioner.operations.discover import Wish, accept, chosen, ignore, proposals
from provisioner.operations.discoverauto import COMMAND, accept_waiting
from provisioner.operations.proposal import Kind
from provisioner.registry.history import changes
from tests.support.site import SITE, catalogue_of, write_site

_NODES = """\
nodes:
  # the first rack
  n[1-3]: {groups: [g], interfaces: {eth0: {ip: 10.0.1.1+}}}
  n1: {serial: "OLD-1", interfaces: {eth0: {mac: "52:54:00:00:00:01"}}}
"""
_POLICY = 'discovery: {names: "n[1-9]", groups: [g]}\n'
_MAC, _OTHER = "52:54:00:aa:00:01", "52:54:00:aa:00:02"
_NOW = 1_000_000.0


def _site(folder: Path, policy: str = _POLICY) -> Paths:
    files = {"provisioner.yaml": SITE + policy, "nodes.d/nodes.yaml": _NODES, "groups.d/g.yaml": "groups: {g: }\n"}
    return write_site(folder, files)


def _waits(paths: Paths, *machines: Shown) -> None:
    write_inbox(paths.inbox, machines)


def _machine(mac: str = _MAC, *, first: float = 1.0, serial: str | None = None, told: bool = True) -> Shown:
    return Shown(mac, first, first, told=told, serial=serial)


def _accepted(paths: Paths, macs: Sequence[str], wish: Wish | None = None) -> str:
    """The file of nodes after an acceptance."""
    taken = chosen(proposals(paths, now=_NOW), macs, wish)
    commit(draft(paths, catalogue_of(), accept(taken, wish)), command="x")
    return (paths.site / "nodes.d/nodes.yaml").read_text()


def test_a_node_that_waits_gets_mac_and_identity_and_its_comments_stay(tmp_path: Path) -> None:
    paths = _site(tmp_path)
    _waits(paths, _machine(serial="SN-7"))

    text = _accepted(paths, [_MAC])

    assert text.startswith(_NODES)
    assert text.removeprefix(_NODES) == '  n2: {interfaces: {eth0: {mac: "52:54:00:aa:00:01"}}, serial: SN-7}\n'


def test_all_that_wait_are_one_change_in_the_order_of_their_arrival(tmp_path: Path) -> None:
    paths = _site(tmp_path)
    _waits(paths, _machine(_OTHER, first=1.0), _machine(_MAC, first=2.0))

    text = _accepted(paths, ["all"])

    assert text.index(_OTHER) < text.index(_MAC)
    assert len(changes(paths)) == 1


def test_a_new_node_is_in_the_groups_of_the_policy(tmp_path: Path) -> None:
    paths = _site(tmp_path, 'discovery: {names: "m[1-9]", groups: [g], interface: ens1}\n')
    _waits(paths, _machine())

    assert 'm1: {groups: [g], interfaces: {ens1: {mac: "52:54:00:aa:00:01"}}}' in _accepted(paths, [_MAC])


def test_a_person_may_say_otherwise(tmp_path: Path) -> None:
    paths = _site(tmp_path)
    _waits(paths, _machine())

    text = _accepted(paths, [_MAC], Wish(name="login1", groups=("g",), address="10.0.9.1"))

    assert 'login1: {groups: [g], interfaces: {eth0: {mac: "52:54:00:aa:00:01", ip: 10.0.9.1}}}' in text


def test_a_machine_that_is_replaced_takes_its_identity_along(tmp_path: Path) -> None:
    paths = _site(tmp_path)
    _waits(paths, _machine(serial="NEW-1"))
    store = EventStore(paths.events)
    seen = {"relay": "10.1.0.1", "circuit": "Eth1/1"}
    store.record(Event(_NOW - 9000, Stage.DHCP, "dhcp.ack", "", mac="52:54:00:00:00:01", node="n1", data=seen))
    store.close()
    _waits(paths, Shown(_MAC, 1, 1, told=True, serial="NEW-1", relay="10.1.0.1", circuit="Eth1/1"))

    proposal = proposals(paths, now=_NOW)[0]
    text = _accepted(paths, [_MAC])

    assert (proposal.kind, proposal.node) == (Kind.REPLACE, "n1")
    assert 'n1: {serial: NEW-1, interfaces: {eth0: {mac: "52:54:00:aa:00:01"}}' in text
    assert "OLD-1" not in text


@pytest.mark.parametrize(
    ("macs", "wish", "words"),
    [
        ([_OTHER], None, "no machine 52:54:00:aa:00:02 waits"),
        (["n1"], None, "is not a MAC address"),
        ([_MAC, _MAC], Wish(name="x"), "one name is for one machine"),
    ],
)
def test_what_cannot_be_accepted_is_refused(
    tmp_path: Path, macs: list[str], wish: Wish | None, words: str
) -> None:
    paths = _site(tmp_path)
    _waits(paths, _machine())

    with pytest.raises(ProvisionerError, match=words):
        chosen(proposals(paths, now=_NOW), macs, wish)


def test_a_machine_that_nothing_is_proposed_for_needs_a_name(tmp_path: Path) -> None:
    paths = _site(tmp_path, "")
    _waits(paths, _machine())

    with pytest.raises(ProvisionerError, match="no name is free") as caught:
        chosen(proposals(paths, now=_NOW), [_MAC])

    assert caught.value.hint == f"prov discover accept {_MAC} --as NAME"


def test_ignored_machines_are_listed_in_the_site_file(tmp_path: Path) -> None:
    paths = _site(tmp_path)
    _waits(paths, _machine(), _machine(_OTHER))

    for mac in (_MAC, _OTHER, _MAC.upper()):
        drafted = draft(paths, catalogue_of(), ignore([mac]))
        commit(drafted, command="x")

    text = (paths.site / "provisioner.yaml").read_text()
    assert text.startswith(SITE)
    assert f'ignore: ["{_MAC}", "{_OTHER}"]' in text
    assert proposals(paths, now=_NOW) == ()


def test_without_a_site_nothing_is_ignored(tmp_path: Path) -> None:
    with pytest.raises((NotFoundError, ConfigError)):
        draft(write_site(tmp_path, {}), catalogue_of(), ignore([_MAC]))


def test_the_policy_accepts_by_itself_what_told_of_itself_and_is_without_doubt(tmp_path: Path) -> None:
    paths = _site(tmp_path)
    twins = [_machine(f"52:54:00:bb:00:0{number}", serial="SAME-1") for number in range(2)]
    _waits(paths, _machine(serial="SN-7"), _machine(_OTHER, told=False), *twins)

    accepted = accept_waiting(paths)

    assert [(each.mac, each.node) for each in accepted] == [(_MAC, "n2")]
    assert changes(paths)[0].command == COMMAND
    assert accept_waiting(paths) == ()


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ('discovery: {names: "n[1-"}\n', "n\\[1-"),
        ("discovery: {groups: [computer]}\n", "unknown group 'computer'"),
        ("discovery: {accept: maybe}\n", "maybe"),
        ("discovery: {ignore: [5]}\n", "MAC address"),
    ],
)
def test_a_policy_with_a_mistake_names_its_place(tmp_path: Path, policy: str, words: str) -> None:
    paths = _site(tmp_path, policy)
    line = SITE.count("\n") + 1

    with pytest.raises(ConfigError, match=words) as caught:
        check(paths, catalogue_of())

    assert caught.value.problems[0].file == "provisioner.yaml"
    assert caught.value.problems[0].line == line
