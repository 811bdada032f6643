"""What a set-up does on which machine."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from provisioner.model.written import Network, Site
from provisioner.operations.setup.facts import Facts, ManagedFile, Unit, Wish
from provisioner.operations.setup.folders import Folder
from provisioner.operations.setup.needs import NEEDS
from provisioner.operations.setup.place import Place
from provisioner.operations.setup.plan import UNIT, plan
from provisioner.operations.setup.steps import MakeSite, Run, Step

PLACE = Place("eth1", IPv4Address("10.0.0.1"), IPv4Network("10.0.0.0/16"))
FOLDER = {Path("/etc/provisioner"): Folder("root", "provisioner", 0o2750)}
SITE = Site(cluster="demo", networks={"lan": Network(cidr=PLACE.network)})
WISH = Wish(interface="eth1", cluster="demo", program=Path("/opt/provisioner/bin/prov"))
BARE = Facts(
    place=PLACE,
    packager="apt-get",
    missing=NEEDS,
    files=(ManagedFile(UNIT, b"unit"),),
    wanted_folders=FOLDER,
    folders=dict.fromkeys(FOLDER),
    unit=Unit(enabled=False, active=False),
)
DONE = Facts(
    place=PLACE,
    has_user=True,
    files=(ManagedFile(UNIT, b"unit", b"unit"),),
    wanted_folders=FOLDER,
    folders=FOLDER,
    has_command=True,
    has_site=True,
    site=SITE,
    has_key=True,
    unit=Unit(enabled=True, active=True),
)


def steps(facts: Facts, wish: Wish = WISH) -> dict[str, Step]:
    return {each.name: each for each in plan(facts, wish)}


def words(step: Step) -> list[str]:
    return [str(each) for each in step.actions]


def test_a_bare_machine_needs_every_step_in_this_order() -> None:
    made = plan(BARE, WISH)

    assert [each.name for each in made if each.change] == [
        *("packages", "command", "files", "user", "folders", "site", "key", "service"),
    ]
    assert words(made[-1]) == [
        "systemctl --quiet enable provisioner.service",
        "systemctl start provisioner.service",
    ]


def test_a_head_node_needs_nothing() -> None:
    assert [each.name for each in plan(DONE, WISH) if each.change or each.by_hand] == []


def test_the_site_gets_the_network_of_the_device() -> None:
    (action,) = steps(BARE)["site"].actions

    assert isinstance(action, MakeSite)
    assert (action.new.cluster, action.new.network, action.new.server) == ("demo", "10.0.0.0/16", "10.0.0.1")


def test_a_site_with_another_network_is_not_edited_but_told() -> None:
    elsewhere = replace(DONE, place=Place("eth2", IPv4Address("10.9.0.1"), IPv4Network("10.9.0.0/24")))

    step = steps(elsewhere)["site"]

    assert not step.change
    assert "{cidr: 10.9.0.0/24, server: 10.9.0.1" in step.by_hand


def test_a_site_with_mistakes_is_left_to_the_person() -> None:
    step = steps(replace(DONE, site=None, site_fault="provisioner.yaml has mistakes"))["site"]

    assert (step.change, step.by_hand) == ("", "prov check")


@pytest.mark.parametrize(("packager", "name"), [("apt-get", "dracut-core"), ("dnf", "ipxe-bootimgs-x86")])
def test_missing_packages_go_by_their_names_on_that_system(packager: str, name: str) -> None:
    step = steps(replace(BARE, packager=packager))["packages"]

    assert name in words(step)[-1]
    assert packager in words(step)[-1]


def test_packages_are_only_named_where_nobody_wants_them_or_nothing_installs_them() -> None:
    for step in (steps(BARE, replace(WISH, packages=False)), steps(replace(BARE, packager=""))):
        assert not step["packages"].actions
        assert "squashfs-tools" in step["packages"].by_hand


def test_a_changed_unit_restarts_the_service_and_nothing_else_does() -> None:
    old = replace(DONE, files=(ManagedFile(UNIT, b"unit", b"old"),))

    assert words(steps(old)["files"]) == [f"write {UNIT}", "systemctl daemon-reload"]
    assert words(steps(old)["service"]) == ["systemctl restart provisioner.service"]


def test_a_unit_that_a_package_brings_is_not_written_again() -> None:
    assert not steps(replace(DONE, files=(ManagedFile(UNIT, b"unit", packaged=True),)))["files"].change


def test_below_a_prefix_the_service_is_enabled_and_never_started() -> None:
    there = replace(BARE, prefix=Path("/mnt"), unit=Unit(enabled=False, active=None))

    assert words(steps(there)["service"]) == ["systemctl --quiet --root=/mnt enable provisioner.service"]
    assert words(steps(there)["user"]) == ["systemd-sysusers --root=/mnt provisioner.conf"]
    assert "systemctl daemon-reload" not in words(steps(there)["files"])
    assert not steps(replace(there, unit=Unit(enabled=True, active=None)))["service"].change


def test_without_systemd_the_person_starts_the_daemon() -> None:
    step = steps(replace(DONE, unit=None))["service"]

    assert (step.change, step.by_hand) == ("", "prov serve")


def test_a_plan_is_data_for_programs() -> None:
    record = steps(BARE)["user"].record()

    assert record["step"] == "user"
    assert record["actions"] == [str(Run(("systemd-sysusers", "provisioner.conf")))]
