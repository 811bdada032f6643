"""A real relay between a real client and the server: dnsmasq relays, ISC's client asks."""

from __future__ import annotations

import asyncio
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from provisioner.dhcp.v6.server import Dhcp6Server
from provisioner.model.event import Event
from provisioner.model.snapshot import Snapshot
from provisioner.model.tally import Tally
from provisioner.model.written import Network, Site
from tests.support.netns import Namespace, namespace, veth
from tests.support.packets import MAC, interface, node
from tests.support.peers import listens
from tests.support.resolved import catalogue
from tests.support.rig import running
from tests.support.unpacked import program

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("ip", "dnsmasq", "ss")]


def site() -> Snapshot:
    """The server is in `near`, the node in `far`, behind a relay."""
    networks = {
        "near": Network.model_validate({"cidr": "10.77.0.0/24", "cidr6": "fd77::/64", "dhcp6": "authoritative"}),
        "far": Network.model_validate({"cidr": "10.88.0.0/24", "cidr6": "fd88::/64", "dhcp6": "authoritative"}),
    }
    device = interface("eth0", "10.88.0.11/24", mac=MAC, ip6="fd88::11/64").model_copy(update={"network": "far"})
    return Snapshot.build("1", Site(cluster="demo", networks=networks), [node("n001", device)])


async def test_a_client_behind_a_relay_gets_its_address_of_the_other_network(tmp_path: Path) -> None:
    events: list[Event] = []
    with namespace() as home, namespace() as middle, namespace() as clients:
        for each in (home, middle, clients):
            each.run(["sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad"])
        with veth(home, middle) as (ours, up), veth(middle, clients) as (down, theirs):
            home.address(ours, "fd77::1/64")
            middle.address(up, "fd77::2/64")
            middle.address(down, "fd88::1/64")
            home.ip("-6", "route", "add", "fd88::/64", "via", "fd77::2")
            clients.ip("link", "set", theirs, "down")
            clients.ip("link", "set", theirs, "address", MAC, "up")
            server = Dhcp6Server(
                interface=ours,
                address=IPv6Address("fd77::1"),
                snapshot=site,
                catalogue=catalogue,
                record=events.append,
                tally=Tally(),
            )
            with home.entered():
                await server.start()
            try:
                with running(middle, _relay(), log=tmp_path / "relay.log", ready=listens(middle, "udp", 547)):
                    told = await asyncio.to_thread(_lease, clients, theirs, tmp_path)
            finally:
                await server.close()

    assert "new_ip6_address=fd88::11" in told
    assert "new_dhcp6_name_servers=fd77::1" in told
    # The client asks again after a second.
    assert list(dict.fromkeys(event.name for event in events)) == ["dhcp6.advertise", "dhcp6.reply"]


def _relay() -> list[str]:
    own = ["--conf-file=/dev/null", "--keep-in-foreground", "--port=0", "--user=root", "--pid-file"]
    return ["dnsmasq", *own, "--dhcp-relay=fd88::1,fd77::1"]


def _lease(clients: Namespace, device: str, folder: Path) -> str:
    """What ISC's client tells its script while it gets an address."""
    script = folder / "script"
    script.write_text(f"#!/bin/sh\nenv >> {folder}/told\nexit 0\n")
    script.chmod(0o755)
    (folder / "dhclient.conf").write_text("also request dhcp6.name-servers;\n")
    own: list[str | Path] = [
        "-cf",
        folder / "dhclient.conf",
        "-lf",
        folder / "leases",
        "-pf",
        folder / "pid",
        "-sf",
        script,
    ]
    dhclient = [program("sbin/dhclient"), "-6", "-D", "LL", *own]
    clients.run([*dhclient, "-1", device])
    clients.run([*dhclient, "-x", device])
    return (folder / "told").read_text()
