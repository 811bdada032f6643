"""Network namespaces of a test's own: nothing in them reaches the machine's network.

with namespace() as server, namespace() as client, veth(server, client) as (ours, theirs):
    server.address(ours, "10.77.0.1/24")
    with server.entered():
        opened = socket.socket(...)      # belongs to the namespace for good
"""

from __future__ import annotations

import ctypes
import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from provisioner.host.run import run

_CLONE_NEWNET = 0x40000000
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network namespace by the name that `ip netns` knows."""

    name: str

    def run(self, command: Sequence[str | os.PathLike[str]], *, timeout: float = 60) -> str:
        """Run a program inside to its end and return its output (provisioner.host.run.run)."""
        return run(["ip", "netns", "exec", self.name, *command], timeout=timeout)

    def ip(self, *words: str) -> str:
        """Run `ip` on this namespace."""
        return run(["ip", "-n", self.name, *words], timeout=30)

    def address(self, interface: str, cidr: str) -> None:
        """Give an interface an address and switch it on."""
        self.ip("addr", "add", cidr, "dev", interface, *(["nodad"] if ":" in cidr else []))
        self.ip("link", "set", interface, "up")

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Move this thread into the namespace. Sockets made meanwhile stay there afterwards."""
        with _within(Path("/run/netns") / self.name):
            yield


@contextmanager
def namespace() -> Iterator[Namespace]:
    """A new namespace with its loopback up; removed at the end with all that is in it."""
    made = Namespace(f"prov-{os.getpid()}-{next(_numbers)}")
    run(["ip", "netns", "add", made.name], timeout=30)
    try:
        made.ip("link", "set", "lo", "up")
        yield made
    finally:
        run(["ip", "netns", "del", made.name], timeout=30)


@contextmanager
def veth(one: Namespace, other: Namespace) -> Iterator[tuple[str, str]]:
    """A cable between two namespaces: the interface in each, both up; it goes away with either namespace."""
    number = next(_numbers)
    ends = f"one{number}", f"other{number}"
    peer = ["peer", "name", ends[1], "netns", other.name]
    one.ip("link", "add", ends[0], "type", "veth", *peer)
    one.ip("link", "set", ends[0], "up")
    other.ip("link", "set", ends[1], "up")
    yield ends


@contextmanager
def network_of(process: int) -> Iterator[None]:
    """Move this thread into the network of a process. Sockets made meanwhile stay there afterwards."""
    with _within(Path(f"/proc/{process}/ns/net")):
        yield


@contextmanager
def _within(network: Path) -> Iterator[None]:
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(network, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(there)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(there)
        os.close(home)


def _setns(handle: int) -> None:
    # os.setns exists from Python 3.12 only.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(handle, _CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
