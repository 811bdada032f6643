"""TFTP: bytes per second of the server's processor time, ours against tftpd-hpa's."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from tests.support.daemon import add_generation
from tests.support.load import fetch_by_tftp
from tests.support.peers import tftpd
from tests.support.rig import Rig, Server, daemon, rig, write_nodes

pytestmark = [pytest.mark.long, pytest.mark.root, pytest.mark.usefixtures("one_core")]

# Just below 65,536 blocks, where some servers stop.
SIZE = 64_000_000
NAME = "ipxe.efi"


def test_a_byte_costs_so_much_of_tftpd_hpa(tmp_path: Path) -> None:
    paths, content = Paths.below(tmp_path / "site"), os.urandom(SIZE)
    write_nodes(paths, 1)
    add_generation(paths)
    (paths.state / "loaders").mkdir(parents=True)
    (paths.state / "loaders" / NAME).write_bytes(content)
    digest = sha256(content).hexdigest()
    with rig() as place:
        with daemon(place.home, paths) as server:
            lock_step = _megabytes(place, server, digest, window=1)
            windowed = _megabytes(place, server, digest, window=16)
        with tftpd(place.home, paths.state / "loaders") as server:
            theirs = _megabytes(place, server, digest, window=1)

    print(
        f"\nTFTP, {SIZE / 1e6:.0f} MB in blocks of 1468, MB per CPU-second of the server:"
        f"\n  ours in lock-step     {lock_step:.0f}, to tftpd-hpa {lock_step / theirs:.2f} (to hold: 0.6)"
        f"\n  ours, windowsize 16   {windowed:.0f}, to tftpd-hpa {windowed / theirs:.2f}"
        f" (to hold: 0.9, which is 1.5 of 0.6), to lock-step {windowed / lock_step:.2f}"
        f"\n  tftpd-hpa (lock-step) {theirs:.0f}; it has no windowsize"
    )


def _megabytes(place: Rig, server: Server, digest: str, *, window: int) -> float:
    bill = [server.cpu_seconds()]
    with place.clients.entered():
        got = fetch_by_tftp(NAME, window=window, before_last=lambda: bill.append(server.cpu_seconds()))
    assert got == (SIZE, digest)
    return SIZE / 1e6 / (bill[1] - bill[0])
