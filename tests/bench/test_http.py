"""Root images by HTTP: bytes per second of the server's processor time, ours against nginx; and scripts."""

from __future__ import annotations

import os
import re
from hashlib import sha256
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from tests.support.daemon import add_generation
from tests.support.peers import NGINX_PORT, nginx
from tests.support.rig import HEAD, HTTP, Rig, Server, address_of, daemon, mac_of, rig, write_nodes

pytestmark = [pytest.mark.long, pytest.mark.root, pytest.mark.needs("curl", "wrk")]

SIZE = 1 << 30
CLIENTS = 4
ROUNDS = 6
NODES = 2000
SECONDS = 10

# Tokens are good from the address of their node only.
_FETCH = "curl --silent --fail --interface $1"
_ALL_AT_ONCE = f"""
while [ $# -gt 0 ]; do
    {_FETCH} --write-out '%{{size_download}}\\n' --output /dev/null "$2" &
    shift 2
done
wait
"""
# Every client begins somewhere else among the nodes.
_LUA = """
local number = math.random(0, {nodes} - 1)
request = function()
    number = (number + 7) % {nodes}
    return wrk.format("GET", string.format("/boot/52-54-%02x-%02x-%02x-%02x",
        0, 0, math.floor((number + 1) / 256), (number + 1) % 256))
end
"""


@pytest.mark.parametrize("link", ["", ", link: 20Gbit"], ids=["any link", "admitted and paced to 18 Gbit/s"])
def test_a_byte_costs_so_much_of_nginx(tmp_path: Path, link: str) -> None:
    paths, content = Paths.below(tmp_path / "site"), os.urandom(SIZE)
    write_nodes(paths, CLIENTS)
    _written(paths, f"cidr: {HEAD.network}{link}")
    add_generation(paths, root=content)
    (tmp_path / "root").write_bytes(content)
    with rig() as place, daemon(place.home, paths) as server, nginx(place.home, tmp_path) as peer:
        our_urls = [f"{_stage1(place, number)}/root" for number in range(1, CLIENTS + 1)]
        their_urls = [f"http://{HEAD.ip}:{NGINX_PORT}/root"] * CLIENTS
        found = {_digest(place, our_urls[0]), _digest(place, their_urls[0])}
        assert found == {sha256(content).hexdigest()}
        # In turns, because the speed of a busy machine changes from one second to the next.
        pairs = [(_seconds(place, server, our_urls), _seconds(place, peer, their_urls)) for _ in range(ROUNDS)]

    ours, theirs = (sum(each) for each in zip(*pairs, strict=True))
    ratios = sorted(their_seconds / our_seconds for our_seconds, their_seconds in pairs)
    gigabytes = SIZE * CLIENTS * ROUNDS / 1e9
    print(
        f"\nHTTP{link}, {SIZE >> 20} MiB, {ROUNDS} rounds of {CLIENTS} clients, GB per CPU-second of the server:"
        f"\n  ours (token checked, events kept) {gigabytes / ours:.2f}"
        f"\n  nginx with sendfile               {gigabytes / theirs:.2f}"
        f"\n  ours to nginx: {theirs / ours:.2f} (to hold: 1.0), single rounds {ratios[0]:.2f} to {ratios[-1]:.2f}"
    )


def test_so_many_scripts_go_out_in_a_second(tmp_path: Path) -> None:
    paths, lua = Paths.below(tmp_path / "site"), tmp_path / "nodes.lua"
    write_nodes(paths, NODES)
    # Another server gives out the addresses, so that one client may ask for all.
    _written(paths, f"cidr: {HEAD.network}, dhcp: off")
    add_generation(paths)
    lua.write_text(_LUA.format(nodes=NODES))
    with rig() as place, daemon(place.home, paths) as server:
        before = server.cpu_seconds()
        words = ["wrk", "--threads", "1", "--connections", "32", "--duration", f"{SECONDS}s", "--latency"]
        printed = place.clients.run([*words, "--script", lua, HTTP], timeout=SECONDS + 60)
        spent = server.cpu_seconds() - before

    done = re.search(r"(\d+) requests in", printed)
    assert done, printed
    assert "Non-2xx" not in printed, printed
    percentiles = dict(re.findall(r"(50|99)%\s+(\S+)", printed))
    print(
        f"\nBoot scripts, 32 connections, {SECONDS} s: {int(done[1]) / SECONDS:.0f} a second, "
        f"p50 {percentiles['50']}, p99 {percentiles['99']}; {1e3 * spent / int(done[1]):.2f} ms of CPU time each"
    )


def _written(paths: Paths, network: str) -> None:
    paths.site_file.write_text(f"cluster: demo\nnetworks: {{provision: {{{network}}}}}\n")


def _stage1(place: Rig, number: int) -> str:
    address = str(address_of(number))
    place.clients.ip("addr", "add", f"{address}/{HEAD.network.prefixlen}", "dev", place.theirs)
    script = place.clients.run(["curl", "--silent", "--interface", address, f"{HTTP}/boot/{mac_of(number)}"])
    token = re.search(r"prov\.token=(\S+)", script)
    assert token, script
    return f"{HTTP}/t/{token[1]}"


def _digest(place: Rig, url: str) -> str:
    return place.clients.run(["sh", "-c", f"{_FETCH} $2 | sha256sum", "fetch", str(address_of(1)), url]).split()[0]


def _seconds(place: Rig, server: Server, urls: list[str]) -> float:
    """Processor time of a server while every client fetches its URL, all at once."""
    before = server.cpu_seconds()
    words = [word for number, url in enumerate(urls, start=1) for word in (str(address_of(number)), url)]
    printed = place.clients.run(["sh", "-c", _ALL_AT_ONCE, "fetch", *words], timeout=300)
    assert printed.split() == [str(SIZE)] * len(urls)
    return server.cpu_seconds() - before
