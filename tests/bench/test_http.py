"""Root images by HTTP: bytes per second of the server's processor time, ours against nginx with sendfile."""

from __future__ import annotations

import os
import re
from hashlib import sha256
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from tests.support.daemon import add_generation
from tests.support.peers import NGINX_PORT, nginx
from tests.support.rig import HEAD, HTTP, Rig, Server, daemon, mac_of, rig, write_nodes

pytestmark = [pytest.mark.long, pytest.mark.root, pytest.mark.needs("curl")]

SIZE = 128 << 20
FETCHES = 16
ROUNDS = 6


def test_a_byte_costs_so_much_of_nginx(tmp_path: Path) -> None:
    paths, content = Paths.below(tmp_path / "site"), os.urandom(SIZE)
    write_nodes(paths, 1)
    add_generation(paths, root=content)
    (tmp_path / "root").write_bytes(content)
    with rig() as place, daemon(place.home, paths) as server, nginx(place.home, tmp_path) as peer:
        our_url, their_url = f"{_stage1(place)}/root", f"http://{HEAD.ip}:{NGINX_PORT}/root"
        assert {_digest(place, our_url), _digest(place, their_url)} == {sha256(content).hexdigest()}
        # In turns, because the speed of a busy machine changes from one second to the next.
        pairs = [(_seconds(place, server, our_url), _seconds(place, peer, their_url)) for _ in range(ROUNDS)]

    ours, theirs = (sum(each) for each in zip(*pairs, strict=True))
    ratios = sorted(their_seconds / our_seconds for our_seconds, their_seconds in pairs)
    gigabytes = SIZE * FETCHES * ROUNDS / 1e9
    print(
        f"\nHTTP, {SIZE >> 20} MiB, {ROUNDS} rounds of {FETCHES} fetches, GB per CPU-second of the server:"
        f"\n  ours (token checked, events kept) {gigabytes / ours:.2f}"
        f"\n  nginx with sendfile               {gigabytes / theirs:.2f}"
        f"\n  ours to nginx: {theirs / ours:.2f} (to hold: 1.0), single rounds {ratios[0]:.2f} to {ratios[-1]:.2f}"
    )


def _stage1(place: Rig) -> str:
    script = place.clients.run(["curl", "--silent", f"{HTTP}/boot/{mac_of(1)}"])
    token = re.search(r"prov\.token=(\S+)", script)
    assert token, script
    return f"{HTTP}/t/{token[1]}"


def _digest(place: Rig, url: str) -> str:
    return place.clients.run(["sh", "-c", 'curl --silent "$0" | sha256sum', url]).split()[0]


def _seconds(place: Rig, server: Server, url: str) -> float:
    before = server.cpu_seconds()
    words = ["curl", "--silent", "--show-error", "--fail", "--write-out", "%{size_download}\\n"]
    printed = place.clients.run([*words, "--output", "/dev/null", f"{url}?[1-{FETCHES}]"])
    assert printed.split() == [str(SIZE)] * FETCHES
    return server.cpu_seconds() - before
