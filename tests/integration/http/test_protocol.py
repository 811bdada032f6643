"""Odd ways to ask that firmware, proxies and people have: each gets a whole answer."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from provisioner.config.paths import Paths
from tests.support.daemon import ROOT, HeadNode, Machine, add_generation
from tests.support.rig import HEAD, Rig, daemon, rig, write_nodes

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("curl", "busybox")]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    paths = Paths.below(tmp_path_factory.mktemp("protocol") / "site")
    write_nodes(paths, 1)
    add_generation(paths)
    with rig() as place, daemon(place.home, paths):
        yield place


def answered(place: Rig, request: bytes, *, patience: float = 60) -> bytes:
    """What comes back on a connection of its own until the server closes it, or is silent."""
    with place.clients.entered(), socket.socket() as client:
        client.settimeout(patience)
        client.connect((str(HEAD.ip), 8080))
        pieces = []
        with suppress(TimeoutError, ConnectionResetError, BrokenPipeError):
            client.sendall(request)
            while piece := client.recv(1 << 16):
                pieces.append(piece)
        return b"".join(pieces)


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /nothing HTTP/1.0\r\n\r\n",
        b"GET /nothing HTTP/1.1\r\nHost: head\r\nConnection: close\r\n\r\n",
        b"GET http://10.66.0.1:8080/nothing HTTP/1.1\r\nHost: head\r\nConnection: close\r\n\r\n",
        b"PUT /nothing HTTP/1.1\r\nHost: head\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["HTTP/1.0", "HTTP/1.1", "absolute form", "another method"],
)
def test_what_is_not_there_is_said_in_a_body_of_known_length(place: Rig, request_: bytes) -> None:
    head, _, body = answered(place, request_).partition(b"\r\n\r\n")

    assert head.split()[1] == b"404"
    assert body == b"there is nothing at /nothing\n"
    assert f"content-length: {len(body)}".encode() in head.lower().splitlines()


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"A" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 5000 + b"\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\r\n" * 5000,
    ],
    ids=["TLS", "half a line", "version", "long path", "many headers", "length", "chunks", "empty lines"],
)
def test_what_is_no_request_ends_its_own_connection_only(place: Rig, request_: bytes) -> None:
    answer = answered(place, request_, patience=1)

    assert not answer or answer.startswith(b"HTTP/1.")
    assert b" 404 " in answered(place, b"GET /nothing HTTP/1.0\r\n\r\n")


def test_requests_that_come_together_are_answered_in_order(place: Rig) -> None:
    names = [f"nothing{number}" for number in range(20)]
    requests = [f"GET /{name} HTTP/1.1\r\nHost: head\r\n\r\n" for name in names[:-1]]

    answer = answered(place, "".join([*requests, f"GET /{names[-1]} HTTP/1.0\r\n\r\n"]).encode()).decode()

    assert [
        line.rpartition("/")[2] for line in answer.splitlines() if line.startswith("there is nothing")
    ] == names


def test_the_entity_tag_is_the_digest_and_who_has_it_gets_nothing(machine: Machine) -> None:
    path = f"/t/{machine.start().stage1}/root"
    whole = machine.get(path)

    again = machine.get(path, "--header", f"If-None-Match: {whole.headers['etag']}")

    assert whole.headers["etag"] == f'"{whole.headers["x-digest"]}"'
    assert (again.status, again.body) == (304, b"")


def test_a_range_of_another_file_is_the_whole_file(machine: Machine) -> None:
    path = f"/t/{machine.start().stage1}/root"
    tag = machine.get(path, "--head").headers["etag"]

    same = machine.get(path, "--range", "5-9", "--header", f"If-Range: {tag}")
    other = machine.get(path, "--range", "5-9", "--header", 'If-Range: "other"')

    assert (same.status, same.body) == (206, ROOT[5:10])
    assert (other.status, other.body) == (200, ROOT)


def test_a_client_that_hangs_up_leaves_a_broken_transfer_and_a_free_thread(
    head: HeadNode, machine: Machine
) -> None:
    path = f"/t/{machine.start().stage1}/root"

    for _ in range(70):
        with pytest.raises(Exception, match="curl"):
            machine.get(path, "--max-filesize", "1000")

    machine.saw("root.broken")
    assert machine.get(path).body == ROOT
