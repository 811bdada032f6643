"""A head node and a place for its clients: two network namespaces with a cable, and servers with a bill for time.

Unlike the lab's namespace this one is entered by the test itself, whose clients are sockets of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from os import PathLike
from pathlib import Path
from subprocess import TimeoutExpired

import psutil

from provisioner.config.paths import Paths
from provisioner.host.run import spawn
from provisioner.lab.daemon import accepts_connections, prov
from provisioner.model.address import MacAddress
from tests.support.netns import Namespace, namespace, veth

HEAD = IPv4Interface("10.66.0.1/16")
RELAY = IPv4Address("10.66.0.2")
"""The first address on the clients' side of the cable."""

HTTP = f"http://{HEAD.ip}:8080"
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Rig:
    """The two ends of the cable: `ours` is the device in `home`, `theirs` the one in `clients`."""

    home: Namespace
    clients: Namespace
    ours: str
    theirs: str


class Server:
    """A program in the namespace of the head node."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process

    def cpu_seconds(self) -> float:
        """User and system time of the program, its processes, and those of them that have ended and are known."""
        return sum(self.cpu_by_process().values())

    def cpu_by_process(self) -> dict[int, float]:
        """The same for each process by its id; its own first."""
        seconds = {}
        for process in (self._process, *self._process.children(recursive=True)):
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            seconds[process.pid] = times.user + times.system + times.children_user + times.children_system
        return seconds

    def memory(self) -> dict[int, int]:
        """Bytes of memory that each of its processes has for itself, by process id; its own first."""
        processes = (self._process, *self._process.children(recursive=True))
        return {process.pid: int(process.memory_full_info().uss) for process in processes}


@contextmanager
def rig() -> Iterator[Rig]:
    """Two namespaces and the cable between them, both ends with an address."""
    with namespace() as home, namespace() as clients, veth(home, clients) as (ours, theirs):
        home.address(ours, str(HEAD))
        clients.address(theirs, f"{RELAY}/{HEAD.network.prefixlen}")
        yield Rig(home, clients, ours, theirs)


@contextmanager
def running(
    home: Namespace, command: Sequence[str | PathLike[str]], *, log: Path, ready: Callable[[], bool]
) -> Iterator[Server]:
    """A server in a namespace while the context lasts; AssertionError with its log when it does not get ready."""
    with log.open("ab") as output:
        process = spawn(["ip", "netns", "exec", home.name, *command], stdout=output)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not ready():
            assert process.poll() is None, f"{command[0]} ended: {log.read_text()}"
            assert time.monotonic() < deadline, f"{command[0]} does not get ready: {log.read_text()}"
            time.sleep(0.05)
        yield Server(psutil.Process(process.pid))
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def daemon(home: Namespace, paths: Paths) -> Iterator[Server]:
    """`prov serve` for a site."""
    ready = lambda: accepts_connections(paths.control_socket)  # noqa: E731
    with running(home, prov(paths, "serve"), log=paths.site.with_suffix(".log"), ready=ready) as server:
        yield server


def write_nodes(paths: Paths, count: int) -> None:
    """A site with this many nodes of one group, each with a MAC and an address, and every shipped overlay."""
    files = {
        paths.site_file: f"cluster: demo\nnetworks: {{provision: {{cidr: {HEAD.network}}}}}\n",
        paths.group_files / "compute.yaml": _GROUP,
        paths.node_files / "nodes.yaml": "nodes:\n" + "".join(map(_node, range(1, count + 1))),
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def name_of(number: int) -> str:
    """The name of node number N of `write_nodes`."""
    return f"n{number:05}"


def mac_of(number: int) -> MacAddress:
    """Its hardware address."""
    return MacAddress.from_bytes(b"\x52\x54" + number.to_bytes(4, "big"))


def address_of(number: int) -> IPv4Address:
    """Its address."""
    return HEAD.ip + 255 + number


_GROUP = """\
groups:
  compute:
    image: demo
    overlays: {system: [hostname, hosts, network, ssh, agent]}
    kernel: {args: [console=ttyS0]}
"""


def _node(number: int) -> str:
    interface = f'{{mac: "{mac_of(number)}", ip: {address_of(number)}}}'
    return f"  {name_of(number)}: {{groups: [compute], interfaces: {{eth0: {interface}}}}}\n"
