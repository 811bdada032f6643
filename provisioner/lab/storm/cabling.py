"""The network of a storm: the machines' namespace, a cable to the head node's, and one gateway before all of them.

The head node keeps one neighbour, as behind a router, because the kernel's table of neighbours (gc_thresh3) is one
for all namespaces of a machine, and 1,024 entries by default.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network, collapse_addresses

from provisioner.host.run import run
from provisioner.lab.namespace import Namespace

_OURS, _THEIRS = "storm0", "uplink"


@contextmanager
def cable(head: int, *, relay: IPv4Address, prefix: int) -> Iterator[Namespace]:
    """A namespace for machines, with a cable to the network of the process `head`.

    The end of the cable there is `storm0`; it goes with either namespace.
    """
    with Namespace() as clients:
        peer = ("peer", "name", _THEIRS, "netns", str(clients.first.pid))
        run([*_inside(head), "link", "add", _OURS, "type", "veth", *peer])
        run([*_inside(head), "link", "set", _OURS, "up"])
        clients.run(["ip", "address", "add", f"{relay}/{prefix}", "dev", _THEIRS])
        clients.run(["ip", "link", "set", _THEIRS, "up"])
        yield clients


def add_routes(head: int, clients: Namespace, addresses: Sequence[IPv4Address], relay: IPv4Address) -> None:
    """Tell both namespaces where the machines are: the clients' has all the addresses, the head asks the relay."""
    networks = list(collapse_addresses(IPv4Network(each) for each in addresses))
    batch = ("-batch", "-")
    run([*_inside(clients.first.pid), *batch], stdin=_lines(f"route add local {each} dev lo" for each in networks))
    run([*_inside(head), *batch], stdin=_lines(f"route add {each} via {relay}" for each in networks))


def _inside(process: int) -> tuple[str, ...]:
    return ("nsenter", "--target", str(process), "--net", "--", "ip")


def _lines(commands: Iterable[str]) -> bytes:
    return "".join(f"{command}\n" for command in commands).encode()
