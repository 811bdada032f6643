"""The servers that ours are measured against, each set up for the same work."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.netns import Namespace
from tests.support.rig import HEAD, HTTP, Server, address_of, mac_of, name_of, running

NGINX_PORT = 8081


@contextmanager
def kea(home: Namespace, device: str, folder: Path, *, nodes: int) -> Iterator[Server]:
    """Kea with a reservation for every node of `write_nodes`, most options that ours sends, leases in memory."""
    config = folder / "kea.json"
    config.write_text(json.dumps({"Dhcp4": _kea(device, nodes)}))
    # Kea wants a folder for its process id, and a lock that its children would share.
    command = ["env", f"KEA_PIDFILE_DIR={folder}", "KEA_LOCKFILE_DIR=none", "kea-dhcp4", "-c", str(config)]
    with running(home, command, log=folder / "kea.log", ready=listens(home, "udp", 67)) as server:
        yield server


@contextmanager
def dnsmasq(home: Namespace, device: str, folder: Path, *, nodes: int) -> Iterator[Server]:
    """dnsmasq with an address for every node of `write_nodes`, and leases in memory alone."""
    config = folder / "dnsmasq.conf"
    hosts = [
        f"dhcp-host={mac_of(number)},{address_of(number)},{name_of(number)}" for number in range(1, nodes + 1)
    ]
    limits = [
        f"dhcp-range={HEAD.network.network_address},static,{HEAD.network.netmask}",
        f"dhcp-lease-max={nodes}",
    ]
    boot = [f"dhcp-boot={HTTP}/boot/52-54-00-00-00-01", f"dhcp-option=6,{HEAD.ip}", "domain=cluster.local"]
    words = ["port=0", f"interface={device}", "dhcp-authoritative", "leasefile-ro", "quiet-dhcp", "user=root"]
    config.write_text("\n".join((*words, *limits, *boot, *hosts)) + "\n")
    command = ["dnsmasq", "--keep-in-foreground", "--log-facility=-", f"--conf-file={config}"]
    with running(home, command, log=folder / "dnsmasq.log", ready=listens(home, "udp", 67)) as server:
        yield server


@contextmanager
def tftpd(home: Namespace, folder: Path) -> Iterator[Server]:
    """tftpd-hpa for the files of `folder`."""
    options = ["--foreground", "--secure", "--user", "root", "--address", f"{HEAD.ip}:69"]
    command = ["in.tftpd", *options, str(folder)]
    with running(home, command, log=folder / "tftpd.log", ready=listens(home, "udp", 69)) as server:
        yield server


@contextmanager
def nginx(home: Namespace, folder: Path) -> Iterator[Server]:
    """nginx with one worker and sendfile for the files of `folder`, beside our daemon."""
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, listen=f"{HEAD.ip}:{NGINX_PORT}"))
    command = ["nginx", "-c", str(config), "-p", str(folder)]
    with running(home, command, log=folder / "nginx.log", ready=listens(home, "tcp", NGINX_PORT)) as server:
        yield server


def listens(home: Namespace, protocol: str, port: int) -> Callable[[], bool]:
    """Whether somebody in the namespace listens on a port."""
    words = ["ss", "--no-header", "--listening", "--numeric", f"--{protocol}", f"sport = :{port}"]
    return lambda: bool(home.run(words).strip())


def _kea(device: str, nodes: int) -> dict[str, object]:
    reservations = [
        {"hw-address": str(mac_of(number)), "ip-address": str(address_of(number)), "hostname": name_of(number)}
        for number in range(1, nodes + 1)
    ]
    options = [
        {"name": "domain-name-servers", "data": str(HEAD.ip)},
        {"name": "domain-name", "data": "cluster.local"},
    ]
    subnet = {"subnet": str(HEAD.network), "reservations": reservations, "option-data": options}
    return {
        # Our sender is a relay, so plain sockets do.
        "interfaces-config": {"interfaces": [device], "dhcp-socket-type": "udp"},
        "lease-database": {"type": "memfile", "persist": False},
        "valid-lifetime": 43200,
        "next-server": str(HEAD.ip),
        "boot-file-name": f"{HTTP}/boot/52-54-00-00-00-01",
        "subnet4": [subnet],
        "loggers": [{"name": "kea-dhcp4", "severity": "WARN", "output_options": [{"output": "stderr"}]}],
    }


_NGINX = """\
daemon off;
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    server {{
        listen {listen};
        root {folder};
    }}
}}
"""
