"""Two machines boot el-shaped images: one in the shape of CentOS 7, one in the shape of Rocky Linux 9.

The images are built by the shipped recipes. Programs and kernels are Debian's (tests/support/elshaped).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from provisioner.events.history import History
from provisioner.host.run import run
from provisioner.image import store
from provisioner.model.boot import BootRecord
from provisioner.trust.hostkey import host_key
from provisioner.trust.sitekey import SiteKey
from tests.support.elshaped.images import image_store
from tests.support.elshaped.repository import NEEDED
from tests.support.realsite import RealSite, mac, prov

pytestmark = [pytest.mark.e2e, pytest.mark.needs(*NEEDED), pytest.mark.timeout(1800)]

CENTOS, ROCKY = 1, 2
BOTH = pytest.mark.parametrize("number", [CENTOS, ROCKY], ids=["centos-7-shaped", "rocky-9-shaped"])


@dataclass(frozen=True)
class Booted:
    site: RealSite
    boots: dict[int, BootRecord]


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """n001 with the image in the shape of CentOS and n002 with that of Rocky, switched on together."""
    site = RealSite(tmp_path_factory.mktemp("site"))
    settle(site)
    with site:
        for number in (CENTOS, ROCKY):
            site.boot(number)
        yield Booted(site, {number: site.wait_for_boot(f"n{number:03}") for number in (CENTOS, ROCKY)})


def settle(site: RealSite) -> None:
    """Write the site: a group for each image, and nothing that says which network program an image has."""
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "e2e", "-f", site.root / "key"])
    prov(site.root, "init", "--cluster", "e2e", "--network", "10.77.0.0/16", "--admin-key", f"{site.root}/key.pub")
    copied = ["cp", "--archive", "--reflink=auto", str(image_store()), str(site.paths.images)]
    run(["rm", "-rf", str(site.paths.images)])
    run(copied)
    for number, image in ((CENTOS, "centos-7-compute"), (ROCKY, "rocky-9-compute")):
        arguments = (
            "--kernel-arg",
            "console=ttyS0,115200",
            "--kernel-arg",
            "mitigations=off",
            "--kernel-arg",
            "no_timer_check",
            "--kernel-arg",
            "systemd.default_timeout_start_sec=600",
        )
        prov(site.root, "group", "add", image, "--yes", "--image", image, *arguments)
        node = f"n{number:03}"
        prov(site.root, "node", "add", node, "--yes", "--group", image, "--ip", f"10.77.1.{number}")
        prov(site.root, "node", "set", node, "--yes", "--mac", str(mac(number)))


@BOTH
def test_an_el_shaped_image_boots_to_ready(booted: Booted, number: int) -> None:
    boot = booted.boots[number]

    assert (boot.state, boot.reason) == ("ready", "")


@BOTH
def test_no_unit_of_an_el_shaped_image_fails(booted: Booted, number: int) -> None:
    assert booted.site.shell(number, "systemctl --failed --plain --no-legend") == ""


@BOTH
def test_the_kernel_that_runs_is_that_of_the_generation(booted: Booted, number: int) -> None:
    generation = store.find(booted.site.paths, booted.boots[number].generation)

    assert booted.site.shell(number, "uname -r").strip() == generation.kernel_release


def test_each_node_says_the_system_of_its_image(booted: Booted) -> None:
    assert booted.site.shell(CENTOS, "cat /etc/redhat-release") == "CentOS Linux release 7.9.2009 (Core)\n"
    assert booted.site.shell(ROCKY, "cat /etc/redhat-release") == "Rocky Linux release 9.6 (Blue Onyx)\n"


def test_the_network_comes_up_by_ifcfg_files_in_one_and_by_keyfiles_in_the_other(booted: Booted) -> None:
    assert booted.site.shell(CENTOS, "systemctl is-active network.service") == "active\n"
    assert "IPADDR=10.77.1.1" in booted.site.shell(CENTOS, "cat /etc/sysconfig/network-scripts/ifcfg-eth0")
    connection = "nmcli --terse --fields NAME,STATE connection show --active"
    assert "eth0:activated" in booted.site.shell(ROCKY, connection)
    assert "10.77.1.2/16" in booted.site.shell(ROCKY, "ip -4 address show dev eth0")


def test_el_shaped_nodes_reach_each_other_by_name(booted: Booted) -> None:
    assert booted.site.shell(CENTOS, "ping -c 1 -w 60 n002 > /dev/null && echo answered") == "answered\n"
    assert booted.site.shell(ROCKY, "ping -c 1 -w 60 n001 > /dev/null && echo answered") == "answered\n"


def test_the_planted_differences_are_there(booted: Booted) -> None:
    nobody = "id -u nobody"
    assert (booted.site.shell(CENTOS, nobody), booted.site.shell(ROCKY, nobody)) == ("99\n", "65534\n")
    modules = "find /lib/modules/$(uname -r)/ -name 'e1000.ko*' | wc -l"
    assert (booted.site.shell(CENTOS, modules), booted.site.shell(ROCKY, modules)) == ("1\n", "0\n")
    assert booted.site.shell(CENTOS, "systemctl is-active ntpd.service") == "active\n"
    assert booted.site.shell(ROCKY, "cat /etc/crypto-policies/config") == "DEFAULT\n"


@BOTH
def test_the_host_key_of_an_el_shaped_node_is_the_derived_one(booted: Booted, number: int) -> None:
    expected = host_key(SiteKey.load_or_create(booted.site.paths.keys), f"n{number:03}").public

    found = booted.site.shell(number, "cut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub")
    assert found.strip() == expected


def test_the_timelines_have_no_alarm(booted: Booted) -> None:
    events = History(booted.site.paths.events).recent(limit=200)

    assert [event.name for event in events if event.name == "access.denied"] == []
