"""Five thousand clients that dawdle: none holds memory worth the name, and a node boots meanwhile."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address

import pytest

from provisioner.config.paths import Paths
from tests.support.daemon import KERNEL, add_generation, eventually
from tests.support.rig import HEAD, HTTP, Rig, Server, address_of, daemon, mac_of, rig, write_nodes

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("curl"), pytest.mark.timeout(400)]

CLIENTS = 5000
OF_AN_ADDRESS = 250
# More than a whole answer would take: the loader has 64 KiB and more.
LOADER = bytes(range(256)) * 4096
HALF_A_REQUEST = b"GET /boot/52-54-00-00-00-01 HTTP/1.1\r\nHost: head\r\nX-Slow: "
NEVER_READ = b"GET /loader/large.efi HTTP/1.1\r\nHost: head\r\n\r\n"


@dataclass(frozen=True)
class Place:
    """A rig whose daemon serves one node, and the addresses of those who dawdle."""

    rig: Rig
    server: Server
    addresses: list[IPv4Address]

    def boots(self) -> None:
        """The node gets its script and its kernel."""
        curl = ["curl", "--silent", "--fail", "--max-time", "30", "--interface", str(address_of(1))]
        script = self.rig.clients.run([*curl, f"{HTTP}/boot/{mac_of(1)}"])
        (kernel,) = (word for word in script.split() if word.endswith("/kernel"))
        assert self.rig.clients.run([*curl, kernel]).encode() == KERNEL

    def memory(self) -> int:
        return next(iter(self.server.memory().values()))

    def connections(self) -> int:
        words = ["ss", "--no-header", "--tcp", "--numeric", "state", "established", "sport = :8080"]
        return len(self.rig.home.run(words).splitlines())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    paths = Paths.below(tmp_path_factory.mktemp("slow") / "site")
    write_nodes(paths, 1)
    add_generation(paths)
    loaders = paths.state / "loaders"
    loaders.mkdir(parents=True, exist_ok=True)
    (loaders / "large.efi").write_bytes(LOADER)
    with rig() as net:
        addresses = [HEAD.ip + 20_000 + number for number in range(CLIENTS // OF_AN_ADDRESS)]
        for address in (address_of(1), *addresses):
            net.clients.ip("addr", "add", f"{address}/{HEAD.network.prefixlen}", "dev", net.theirs)
        with daemon(net.home, paths) as server, _many_files():
            yield Place(net, server, addresses)


@contextmanager
def _many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def dawdling(place: Place, said: bytes) -> Iterator[list[socket.socket]]:
    """Clients that have said this and do nothing more."""
    with ExitStack() as stack, place.rig.clients.entered():
        clients = []
        for number in range(CLIENTS):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(30)
            client.bind((str(place.addresses[number % len(place.addresses)]), 0))
            client.connect((str(HEAD.ip), 8080))
            client.sendall(said)
            clients.append(client)
        yield clients


@pytest.mark.parametrize("said", [HALF_A_REQUEST, NEVER_READ], ids=["half a request", "an answer never read"])
def test_a_node_boots_while_thousands_dawdle_and_they_take_little_memory(place: Place, said: bytes) -> None:
    place.boots()
    before = place.memory()

    with dawdling(place, said):
        place.boots()
        grown = place.memory() - before

    # Room for what asyncio and aiohttp keep of a connection, and for one piece of an answer.
    assert grown < CLIENTS * (160 << 10)


def test_who_does_not_get_a_request_together_is_cut_off(place: Place) -> None:
    with dawdling(place, HALF_A_REQUEST):
        eventually(lambda: place.connections() == 0, patience=90)
        place.boots()


def test_a_machine_has_so_many_connections_and_no_more(place: Place) -> None:
    with place.rig.clients.entered(), ExitStack() as stack:
        clients = []
        for _ in range(400):
            client = stack.enter_context(socket.socket())
            client.settimeout(30)
            client.bind((str(place.addresses[0]), 0))
            client.connect((str(HEAD.ip), 8080))
            clients.append(client)
        eventually(lambda: place.connections() == 256)
        place.boots()
