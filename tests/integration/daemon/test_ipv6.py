"""A daemon whose network has IPv6 addresses too: everything that a node fetches from it comes over either."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import CommandError
from tests.support.daemon import KERNEL, add_generation
from tests.support.rig import HEAD, Rig, daemon, rig

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("ip", "curl", "dig", "ss")]

HEAD6 = "fd66::1"
_SITE = f"""\
cluster: demo
networks:
  provision: {{cidr: {HEAD.network}, cidr6: "fd66::/64", dhcp6: authoritative}}
"""
_NODES = """\
nodes:
  n001:
    image: demo
    interfaces: {eth0: {network: provision, mac: "52:54:00:77:00:10", ip: 10.66.1.11, ip6: "fd66::11"}}
"""


@pytest.fixture
def bed() -> Iterator[Rig]:
    with rig() as found:
        yield found


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = Paths.below(tmp_path / "site")
    for path, text in ((found.site_file, _SITE), (found.node_files / "n.yaml", _NODES)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    add_generation(found)
    return found


def test_loaders_scripts_and_names_come_over_ipv6(bed: Rig, paths: Paths) -> None:
    bed.home.address(bed.ours, f"{HEAD6}/64")
    bed.clients.address(bed.theirs, "fd66::11/64")

    def fetch(url: str) -> str:
        return bed.clients.run(
            ["curl", "--silent", "--show-error", "--fail", "--globoff", "--max-time", "30", url]
        )

    with daemon(bed.home, paths):
        script = fetch(f"http://[{HEAD6}]:8080/boot/52-54-00-77-00-10")
        token = re.search(
            rf"kernel --name kernel http://\[{HEAD6}\]:8080/t/(\S+)/kernel .* prov\.url=(\S+)", script
        )
        assert token, script
        kernel = fetch(f"http://[{HEAD6}]:8080/t/{token[1]}/kernel")
        autoexec = fetch(f"tftp://[{HEAD6}]/autoexec.ipxe")
        by_http = fetch(f"http://[{HEAD6}]:8080/autoexec.ipxe")
        name = bed.clients.run(["dig", "+short", f"@{HEAD6}", "n001.cluster.local", "AAAA"])
        listeners = bed.home.run(["ss", "--no-header", "--listening", "--numeric", "--udp", "sport = :547"])

    assert kernel.encode() == KERNEL
    assert token[2] == f"http://{HEAD.ip}:8080", "stage 1 speaks IPv4"
    assert autoexec == by_http == f"#!ipxe\nchain --replace http://[{HEAD6}]:8080/boot/${{netX/mac:hexhyp}}\n"
    assert name.strip() == "fd66::11"
    assert len(listeners.splitlines()) == 1


def test_an_address_that_no_device_has_is_an_error_that_says_how_to_add_it(bed: Rig, paths: Paths) -> None:
    with pytest.raises(AssertionError, match=f"ip address add {HEAD6}/64 dev DEVICE"), daemon(bed.home, paths):
        pass


def test_a_network_that_gets_ipv6_addresses_from_us_is_one_where_we_have_to_be(bed: Rig, paths: Paths) -> None:
    bed.home.address(bed.ours, f"{HEAD6}/64")
    elsewhere = '  far: {cidr: 10.99.0.0/24, cidr6: "fd99::/64", dhcp: "off"'
    paths.site_file.write_text(f"{_SITE}{elsewhere}, dhcp6: authoritative}}\n")

    with (
        pytest.raises(AssertionError, match=r"no network device of this machine has 10\.99\.0\.1"),
        daemon(bed.home, paths),
    ):
        pass

    paths.site_file.write_text(f"{_SITE}{elsewhere}}}\n")
    with daemon(bed.home, paths):
        pass


def test_without_dhcpv6_nothing_listens_on_ipv6(bed: Rig, paths: Paths) -> None:
    bed.home.address(bed.ours, f"{HEAD6}/64")
    paths.site_file.write_text(_SITE.replace(", dhcp6: authoritative", ""))

    with daemon(bed.home, paths), pytest.raises(CommandError):
        bed.clients.run(
            ["curl", "--silent", "--globoff", "--max-time", "5", f"http://[{HEAD6}]:8080/autoexec.ipxe"]
        )
