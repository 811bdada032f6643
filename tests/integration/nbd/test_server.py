"""The daemon's roots block by block, read by the NBD clients of others: libnbd and QEMU."""

from __future__ import annotations

import hashlib
import json
import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from provisioner.errors import CommandError
from provisioner.image import store, verity
from tests.support.daemon import ADDRESS, ROOT, HeadNode, Machine, add_generation, eventually, head_node
from tests.support.netns import network_of

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("curl", "nbdinfo", "nbdcopy", "qemu-io", "veritysetup"),
]

PORT = 10809


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeadNode]:
    with head_node(tmp_path_factory.mktemp("head")) as head:
        with_tree(head)
        head.daemon.start()
        yield head
        head.daemon.stop()
        assert "Traceback" not in head.log()


def with_tree(head: HeadNode) -> None:
    """A generation that can be streamed."""
    folder = head.new_file()
    folder.mkdir()
    (folder / "root").write_bytes(ROOT)
    top = verity.write(folder / "root", folder / "tree")
    artifact = store.add_artifact(head.paths, folder / "tree")
    added = add_generation(head.paths)
    store.publish(head.paths, added.model_copy(update={"verity": artifact, "verity_root": top}))


def sheet(machine: Machine) -> dict[str, str]:
    return machine.get(f"/t/{machine.start().stage1}/sheet").pairs


def address(token: str) -> str:
    return f"nbd://{ADDRESS.ip}:{PORT}/{token}"


def test_the_sheet_tells_where_to_read_and_what_to_find(head: HeadNode) -> None:
    told = sheet(head.machine())

    assert told["stream_port"] == str(PORT)
    assert len(told["verity_root"]) == 64
    assert int(told["verity_size"]) % 4096 == 0


def test_libnbd_reads_the_root_and_its_tree_and_they_fit(head: HeadNode, tmp_path: Path) -> None:
    machine = head.machine()
    told = sheet(machine)
    copy = tmp_path / "copy"

    info = json.loads(head.namespace.run(["nbdinfo", "--json", address(told["stream_token"])]))
    head.namespace.run(["nbdcopy", address(told["stream_token"]), copy])

    (export,) = info["exports"]
    assert (export["export-size"], export["is_read_only"]) == (copy.stat().st_size, True)
    assert export["block_size_minimum"] == 4096
    assert copy.read_bytes()[: len(ROOT)] == ROOT
    blocks = len(ROOT) // 4096
    words = ["--no-superblock", f"--data-blocks={blocks}", f"--hash-offset={len(ROOT)}", "--salt=-"]
    head.namespace.run(["veritysetup", "verify", *words, copy, copy, told["verity_root"]])
    # Both clients end in their own time; the newest event may still be the first client's.
    eventually(lambda: copy.stat().st_size in [event.bytes for event in machine.events("stream.closed")])


def test_qemu_reads_any_stretch_and_cannot_write(head: HeadNode) -> None:
    token = sheet(head.machine())["stream_token"]
    words = ["qemu-io", "-r", "-f", "raw", "-c", "read -v 4096 512", address(token)]

    read = head.namespace.run(words)
    with pytest.raises(CommandError, match=r"Permission denied|read-only|write-protected"):
        head.namespace.run(["qemu-io", "-f", "raw", "-c", "write 0 512", address(token)])

    assert " ".join(f"{byte:02x}" for byte in ROOT[4096:4112]) in read


def test_a_name_that_is_no_token_opens_nothing_and_is_an_alarm(head: HeadNode) -> None:
    refused(head, "debian-12", "stream: this is not a token")


@pytest.mark.parametrize("stage", ["script", "stage1"])
def test_tokens_of_other_stages_open_no_stream(head: HeadNode, stage: str) -> None:
    machine = head.machine()
    token = getattr(machine.start(), stage)

    refused(head, token, "comes from an address that no node has")


def test_the_token_of_a_stream_opens_nothing_by_http(head: HeadNode) -> None:
    machine = head.machine()
    token = sheet(machine)["stream_token"]

    assert machine.get(f"/t/{token}/root").status == 403
    assert machine.report(token, "system.report").status == 403


def test_names_are_not_listed(head: HeadNode) -> None:
    with pytest.raises(CommandError, match=r"error to list request: Operation not permitted|not supported"):
        head.namespace.run(["nbdinfo", "--list", f"nbd://{ADDRESS.ip}:{PORT}"])


def test_a_token_outlives_hand_over_rotation_and_the_daemon_but_not_the_next_boot(head: HeadNode) -> None:
    machine = head.machine()
    stage1 = machine.start().stage1
    token = machine.get(f"/t/{stage1}/sheet").pairs["stream_token"]
    running = machine.report(stage1, "handover.done").text
    head.prov("keys", "rotate", "--yes")
    head.daemon.stop()
    head.daemon.start()

    head.namespace.run(["nbdinfo", address(token)])
    fresh = renewed(head, machine, running)
    head.prov("keys", "rotate", "--yes")
    refused(head, token, "not issued by this site")
    head.namespace.run(["nbdinfo", address(fresh)])

    machine.start()
    refused(head, fresh, "has booted again since")


def test_a_node_whose_root_does_not_stream_gets_no_token_for_it(head: HeadNode) -> None:
    machine = head.machine()

    report = machine.report(machine.hand_over(), "system.report", state="running")

    assert "x-stream-token" not in report.headers


def test_a_second_connection_of_a_boot_ends_the_first(head: HeadNode) -> None:
    machine = head.machine()
    token = sheet(machine)["stream_token"]
    with closing(opened(head, token)) as first, closing(opened(head, token)) as second:
        assert first.recv(1) == b""
        assert len(read(second, 0, 4096)) == 16 + 4096
    machine.saw("stream.lost")


def test_what_is_no_nbd_costs_its_own_connection_alone(head: HeadNode) -> None:
    token = sheet(head.machine())["stream_token"]
    with closing(opened(head, token)) as good:
        for rubbish in (b"GET / HTTP/1.0\r\n\r\n" * 4, bytes(64), b"\0\0\0\3" + b"IHAVEOPT" + b"\xff" * 8):
            with closing(connected(head)) as bad:
                bad.sendall(rubbish)
                while bad.recv(4096):
                    pass
        assert read(good, 0, 4096)[16:] == ROOT[:4096]


def renewed(head: HeadNode, machine: Machine, token: str) -> str:
    """The token that comes with the answer to a report of a node whose root streams."""
    words = ["curl", "--silent", "--interface", machine.address, "--dump-header", "-", "--output", "/dev/null"]
    lines = "event=system.report\nuptime=9\nstate=running\nstream=remote\n"
    url = f"http://{ADDRESS.ip}:8080/t/{token}/report"
    headers = head.namespace.run([*words, "--data-binary", lines, url]).splitlines()
    return next(line.removeprefix("X-Stream-Token: ") for line in headers if line.startswith("X-Stream-Token"))


def refused(head: HeadNode, name: str, reason: str) -> None:
    """The name opens nothing, and the alarm tells why."""
    with pytest.raises(CommandError, match="error to opt_go request"):
        head.namespace.run(["nbdinfo", address(name)])
    eventually(lambda: [event for event in head.events("access.denied") if reason in event.message])


def connected(head: HeadNode) -> socket.socket:
    with network_of(head.namespace.first.pid):
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.settimeout(30)
    connection.connect((str(ADDRESS.ip), PORT))
    return connection


def opened(head: HeadNode, token: str) -> socket.socket:
    """A connection that reads, by EXPORT_NAME, as old clients do."""
    connection = connected(head)
    name = token.encode()
    connection.sendall(struct.pack(">L8sLL", 3, b"IHAVEOPT", 1, len(name)) + name)
    assert len(exactly(connection, 18 + 10)) == 28
    return connection


def read(connection: socket.socket, offset: int, length: int) -> bytes:
    connection.sendall(struct.pack(">LHHQQL", 0x25609513, 0, 0, 1, offset, length))
    return exactly(connection, 16 + length)


def exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        assert piece, hashlib.sha256(data).hexdigest()
        data += piece
    return data
