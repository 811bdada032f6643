"""Root images by HTTP: bytes per second of the server's processor time, ours against nginx with sendfile."""

from __future__ import annotations

import os
import re
from hashlib import sha256
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from tests.support.daemon import add_generation
from tests.support.peers import nginx
from tests.support.rig import HTTP, Rig, Server, daemon, mac_of, rig, write_nodes

pytestmark = [pytest.mark.long, pytest.mark.root, pytest.mark.needs("curl")]

SIZE = 128 << 20
FETCHES = 32


def test_a_byte_costs_so_much_of_nginx(tmp_path: Path) -> None:
    paths, content = Paths.below(tmp_path / "site"), os.urandom(SIZE)
    write_nodes(paths, 1)
    add_generation(paths, root=content)
    (tmp_path / "root").write_bytes(content)
    digest = sha256(content).hexdigest()
    with rig() as place:
        with daemon(place.home, paths) as server:
            ours = _gigabytes(place, server, f"{_stage1(place)}/root", digest)
        with nginx(place.home, tmp_path) as server:
            theirs = _gigabytes(place, server, f"{HTTP}/root", digest)

    print(
        f"\nHTTP, a root of {SIZE >> 20} MiB, {FETCHES} times, GB per CPU-second of the server:"
        f"\n  ours (token checked, events kept) {ours:.2f}"
        f"\n  nginx with sendfile               {theirs:.2f}"
        f"\n  ours to nginx: {ours / theirs:.2f} (to hold: 1.0)"
    )


def _stage1(place: Rig) -> str:
    script = place.clients.run(["curl", "--silent", f"{HTTP}/boot/{mac_of(1)}"])
    token = re.search(r"prov\.token=(\S+)", script)
    assert token, script
    return f"{HTTP}/t/{token[1]}"


def _gigabytes(place: Rig, server: Server, url: str, digest: str) -> float:
    assert place.clients.run(["sh", "-c", 'curl --silent "$0" | sha256sum', url]).split()[0] == digest
    before = server.cpu_seconds()
    words = ["curl", "--silent", "--show-error", "--fail", "--write-out", "%{size_download}\\n"]
    printed = place.clients.run([*words, "--output", "/dev/null", f"{url}?[1-{FETCHES}]"])
    assert printed.split() == [str(SIZE)] * FETCHES
    return SIZE * FETCHES / 1e9 / (server.cpu_seconds() - before)
