"""A network that the head node is not in: a real relay and a router stand between, and a machine there boots."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from tests.support.daemon import add_generation
from tests.support.netns import Namespace, namespace, veth
from tests.support.peers import listens
from tests.support.rig import daemon, running

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("busybox", "curl", "dnsmasq", "ip", "ss"),
]

MAC = "52:54:00:00:09:11"
FILES = {
    "provisioner.yaml": """\
cluster: demo
ports: {http: 8080}
networks:
  near: {cidr: 10.77.0.0/24}
  far: {cidr: 10.88.0.0/24, relayed: true, server: 10.77.0.1, gateway: 10.88.0.1}
""",
    "groups.d/g.yaml": "groups: {compute: {image: demo}}\n",
    "nodes.d/n.yaml": f"""\
nodes:
  n011: {{groups: [compute], interfaces: {{eth0: {{network: far, ip: 10.88.0.11, mac: "{MAC}"}}}}}}
""",
}
_BOUND = """#!/bin/sh
[ "$1" = bound ] || exit 0
env | sort > {told}
ip address add "$ip/$mask" dev "$interface"
ip route add default via "$router"
"""


def site(root: Path) -> Paths:
    paths = Paths.below(root)
    for name, text in FILES.items():
        (paths.site / name).parent.mkdir(parents=True, exist_ok=True)
        (paths.site / name).write_text(text)
    add_generation(paths)
    return paths


def test_a_machine_behind_a_relay_and_a_router_gets_its_address_and_its_script(tmp_path: Path) -> None:
    with namespace() as home, namespace() as middle, namespace() as clients:
        middle.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])
        with veth(home, middle) as (ours, up), veth(middle, clients) as (down, theirs):
            home.address(ours, "10.77.0.1/24")
            middle.address(up, "10.77.0.2/24")
            middle.address(down, "10.88.0.1/24")
            home.ip("route", "add", "10.88.0.0/24", "via", "10.77.0.2")
            clients.ip("link", "set", theirs, "down")
            clients.ip("link", "set", theirs, "address", MAC, "up")
            with (
                daemon(home, site(tmp_path / "site")),
                running(middle, relay(), log=tmp_path / "relay.log", ready=listens(middle, "udp", 67)),
            ):
                told = lease(clients, theirs, tmp_path)
                script = clients.run(["curl", "-sS", f"http://10.77.0.1:8080/boot/{MAC.replace(':', '-')}"])

    assert {"ip=10.88.0.11", "router=10.88.0.1", "dns=10.77.0.1"} <= set(told)
    assert "prov.gateway=10.88.0.1" in script
    assert re.search(r"http://10\.77\.0\.1:8080/t/\S+/kernel", script)


def relay() -> list[str]:
    own = ["--conf-file=/dev/null", "--keep-in-foreground", "--port=0", "--user=root", "--pid-file"]
    return ["dnsmasq", *own, "--dhcp-relay=10.88.0.1,10.77.0.1"]


def lease(clients: Namespace, device: str, folder: Path) -> list[str]:
    """What busybox's client tells its script, which sets the address up."""
    script, told = folder / "script", folder / "told"
    script.write_text(_BOUND.format(told=told))
    script.chmod(0o755)
    options = ["-n", "-q", "-f", "-t", "10", "-s", str(script), "-x", "hostname:n"]
    clients.run(["busybox", "udhcpc", "-i", device, *options])
    return told.read_text().splitlines()
