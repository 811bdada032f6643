from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import IPv4Interface
from pathlib import Path

import pytest

from provisioner.errors import ProtocolError
from provisioner.lab.cluster import Lab
from provisioner.lab.network import LabNetwork
from provisioner.lab.requests import Requests, receive, send

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def requests(tmp_path: Path) -> Requests:
    return Requests(Lab(LabNetwork(IPv4Interface("10.0.0.1/16")), tmp_path))


def test_what_is_sent_is_received(pair: Pair) -> None:
    send(pair[0], {"verb": "status"})

    assert receive(pair[1]) == {"verb": "status"}


@pytest.mark.parametrize("octets", [b"", b"{", b"[]", b"7", b"\xff"])
def test_anything_but_one_object_is_refused(pair: Pair, octets: bytes) -> None:
    pair[0].sendall(octets)
    pair[0].shutdown(socket.SHUT_WR)

    with pytest.raises(ProtocolError):
        receive(pair[1])


@pytest.mark.parametrize("request_", [{}, {"verb": None}, {"verb": "explode"}, {"verb": "boot", "node": "n001"}])
def test_an_unknown_request_is_answered_with_an_error(requests: Requests, request_: dict[str, object]) -> None:
    assert requests.answer(request_)["error"].startswith("not a request that a lab knows")


def test_a_failure_is_answered_with_its_hint(requests: Requests) -> None:
    answer = requests.answer({"verb": "off", "node": "n001"})

    assert answer == {"error": "n001 was not booted in this lab", "hint": "prov lab boot n001"}


def test_down_finishes_the_lab(requests: Requests) -> None:
    assert requests.answer({"verb": "down"}) == {}
    assert requests.finished
