"""What two images differ in, as somebody has to know who switches between them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from provisioner.image.contrast import Finding, Weight, contrast, cpu_level
from provisioner.model.inventory import CpuNeed, Group, ImageKernel, Init, Inventory, Package, Service, Unit, User

CENTOS = {"ID": "centos", "ID_LIKE": "rhel fedora", "VERSION_ID": "7", "PRETTY_NAME": "CentOS Linux 7 (Core)"}
ROCKY = {"ID": "rocky", "ID_LIKE": "rhel centos fedora", "VERSION_ID": "9.6", "PRETTY_NAME": "Rocky Linux 9.6"}
DEBIAN = {"ID": "debian", "VERSION_ID": "12", "PRETTY_NAME": "Debian 12"}


def image(os: dict[str, str], **parts: Any) -> Inventory:
    return Inventory(
        **{
            "os": os,
            "kernels": (ImageKernel(release="3.10.0-1160", has_modules=True),),
            "init": Init(name="systemd", version="219"),
            **dict.fromkeys(("units", "users", "groups", "network", "services", "packages"), ()),
            "package_manager": "rpm",
            "texts": {},
            **parts,
        }
    )


def packages(**versions: str) -> tuple[Package, ...]:
    return tuple(Package(name=name, version=version, architecture="x86_64") for name, version in versions.items())


def users(**numbers: int) -> tuple[User, ...]:
    return tuple(User(name=name, uid=uid, gid=uid, home="/", shell="/bin/sh") for name, uid in numbers.items())


def unit(name: str, *wanted_by: str) -> Unit:
    return Unit(name=name, state="enabled" if wanted_by else "disabled", wanted_by=wanted_by)


def told(findings: Iterable[Finding], section: str) -> list[tuple[str, str, str]]:
    return [(each.weight.value, each.subject, each.message) for each in findings if each.section == section]


def test_equal_images_have_no_difference() -> None:
    same = image(
        CENTOS, packages=packages(ntp="4.2"), users=users(munge=998), units=(unit("a.service", "b.target"),)
    )

    assert contrast(same, same) == ()


def test_packages_that_go_come_first_and_minor_versions_are_left_out() -> None:
    old = image(CENTOS, packages=packages(ntp="4.2.6", bash="4.2.46", glibc="2.17", kernel="1:3.10"))
    new = image(CENTOS, packages=packages(chrony="4.5", bash="5.1.8", glibc="2.34", kernel="2:3.11"))

    assert told(contrast(old, new), "packages") == [
        ("warning", "ntp", "4.2.6 is gone"),
        ("note", "chrony", "4.5 is new"),
        ("note", "bash", "4.2.46 -> 5.1.8"),
    ]


def test_a_user_whose_number_moves_matters_where_files_are_shared() -> None:
    old = image(CENTOS, users=users(munge=998, polkitd=999, alice=1000, ntp=38))
    new = image(CENTOS, users=users(munge=990, polkitd=998, alice=1001))

    assert told(contrast(old, new), "accounts") == [
        ("warning", "user alice", "1000 -> 1001"),
        ("warning", "user munge", "998 -> 990"),
        ("note", "user ntp", "38 is gone"),
        ("note", "user polkitd", "999 -> 998"),
    ]


def test_a_number_that_goes_to_somebody_else_is_said() -> None:
    old, new = image(CENTOS, users=users(ntp=38)), image(CENTOS, users=users(chrony=38))

    assert told(contrast(old, new), "accounts") == [("note", "user ntp", "38 is gone; chrony has its number now")]


def test_groups_are_looked_at_as_users_are() -> None:
    old = image(CENTOS, groups=(Group(name="slurm", gid=64),))
    new = image(CENTOS, groups=(Group(name="slurm", gid=65),))

    assert told(contrast(old, new), "accounts") == [("warning", "group slurm", "64 -> 65")]


def test_units_that_started_and_do_not_any_more_are_told_and_others_are_not() -> None:
    old = image(
        CENTOS, units=(unit("ntpd.service", "multi-user.target"), unit("rare.service"), unit("x.service", "y"))
    )
    new = image(CENTOS, units=(unit("chronyd.service", "multi-user.target"), unit("x.service")))

    assert told(contrast(old, new), "units") == [
        ("warning", "ntpd.service", "starts at boot, and is gone"),
        ("warning", "x.service", "starts at boot, and will not (disabled)"),
        ("note", "chronyd.service", "is new and starts at boot"),
    ]


def test_another_format_of_network_configuration_is_told_by_what_each_image_starts() -> None:
    both = (Service(name="NetworkManager", enabled=False), Service(name="network-scripts", enabled=True))
    old, new = image(CENTOS, network=both), image(ROCKY, network=(Service(name="NetworkManager", enabled=True),))

    ((weight, _, message),) = told(contrast(old, new), "network")

    assert weight == "warning"
    assert message.startswith("network-scripts, ifcfg files")
    assert "-> NetworkManager, keyfiles" in message


def test_an_image_without_any_network_backend_is_a_problem() -> None:
    old = image(CENTOS, network=(Service(name="NetworkManager", enabled=True),))

    assert told(contrast(old, image(ROCKY)), "network")[0][0] == "problem"


def test_sha1_ends_with_enterprise_linux_9_only() -> None:
    assert told(contrast(image(CENTOS), image(ROCKY)), "crypto")
    assert not told(contrast(image(ROCKY), image(ROCKY)), "crypto")
    assert not told(contrast(image(CENTOS), image(DEBIAN)), "crypto")


@pytest.mark.parametrize(
    ("os", "level"), [(CENTOS, 1), (ROCKY, 2), ({**ROCKY, "VERSION_ID": "10.0"}, 3), (DEBIAN, 1)]
)
def test_the_level_of_the_processor_follows_the_distribution(os: dict[str, str], level: int) -> None:
    assert cpu_level(image(os)) == level


def test_programs_that_need_more_than_their_distribution_raise_the_level() -> None:
    for level, needed in ((1, 2), (4, 4)):
        assert cpu_level(image(ROCKY, cpu=CpuNeed(level=level, evidence="/bin/sh"))) == needed


def test_every_finding_says_what_it_is_about() -> None:
    for finding in contrast(image(CENTOS, packages=packages(ntp="4.2")), image(ROCKY)):
        assert finding.weight in Weight
        assert all((finding.section, finding.subject, finding.message))
