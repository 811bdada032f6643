"""A node with an IPv6 address alone, against the real daemon: the very functions of stage 1, run by its shell."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from provisioner.archive import cpio
from provisioner.config.paths import Paths, shipped_data
from provisioner.errors import CommandError
from provisioner.events.history import History
from provisioner.image import store
from provisioner.model.event import Event
from tests.support.daemon import KERNEL, ROOT, add_generation, eventually
from tests.support.netns import Namespace, namespace, veth
from tests.support.packets import MAC
from tests.support.rig import HEAD, daemon

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("ip", "curl", "dash", "perl")]

STAGE1 = shipped_data() / "images/stage1/90provisioner"
THEIRS, BRIDGE = "52:54:00:77:00:12", "br0"
HEAD6, OWN, OTHERS = "fd66::1", "fd66::11", "fd66::12"
URL, SECURE = f"http://[{HEAD6}]:8080", f"https://[{HEAD6}]:8443"
_SITE = f"""\
cluster: demo
networks:
  provision: {{cidr: {HEAD.network}, cidr6: "fd66::/64", dhcp: "off", dhcp6: authoritative, gateway6: "fe80::1"}}
ports: {{https: 8443}}
"""
_NODES = f"""\
nodes:
  n001: {{image: demo, interfaces: {{eth0: {{mac: "{MAC}", ip6: "{OWN}"}}}}}}
  n002: {{image: demo, root: {{kind: single}}, interfaces: {{eth0: {{mac: "{THEIRS}", ip6: "{OTHERS}"}}}}}}
"""
# What is dracut's, what is a console's, and the end of a machine.
_RUN = """
. "$STAGE1/stage1.sh"
WORK=$SCRATCH
argument() { tr ' ' '\\n' < "$SCRATCH/line" | sed -n "s/^prov\\.$1=//p"; }
say() { echo "$*" >> "$SCRATCH/said"; }
fail() { say "FAILED: $*"; exit 1; }
MAC=$(argument mac)
use_head "$(argument url)"
start_network
"""
_FETCH = """
start_tls
report stage1.started > /dev/null
fetch_small sheet "$WORK/sheet"
ROOT_SIZE=$(sheet root_size)
stream_root > "$WORK/image"
fetch_small overlay/system "$WORK/system.cpio"
hand_over
"""
# The connection of a root that streams, as its keeper makes it, up to the first word of the server.
_STREAM = r"""
    my ($place, @words) = splice @ARGV;
    open my $file, '<', "$place/stream.pl" or die;
    my ($functions) = join('', <$file>) =~ /\A(.*)^my \(\$verb/ms;
    eval "$functions; (\$host, \$port) = \@words; print receive(connected(), 8)" or die $@;
"""


@dataclass(frozen=True)
class Bed:
    """A head node that serves, and `clients` as the place of one machine, whose card has no address yet."""

    paths: Paths
    home: Namespace
    clients: Namespace


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Paths, Namespace]]:
    paths = Paths.below(tmp_path_factory.mktemp("head") / "site")
    for path, text in ((paths.site_file, _SITE), (paths.node_files / "n.yaml", _NODES)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    made = add_generation(paths)
    archive = paths.images / "tmp" / "archive"
    archive.write_bytes(b"an image that is its own initramfs")
    store.publish(paths, made.model_copy(update={"archive": store.add_artifact(paths, archive)}))
    with namespace() as home:
        home.ip("link", "add", BRIDGE, "type", "bridge", "forward_delay", "0", "stp_state", "0")
        home.address(BRIDGE, str(HEAD))
        home.address(BRIDGE, f"{HEAD6}/64")
        with daemon(home, paths):
            yield paths, home


@pytest.fixture
def bed(head: tuple[Paths, Namespace]) -> Iterator[Bed]:
    paths, home = head
    with namespace() as clients, veth(home, clients) as (ours, theirs):
        home.ip("link", "set", ours, "master", BRIDGE)
        clients.ip("link", "set", theirs, "down", "address", MAC)
        clients.ip("link", "set", theirs, "name", "card")
        yield Bed(paths, home, clients)


def fetch(bed: Bed, address: str, url: str) -> bytes:
    """What firmware and iPXE get that hold an address for a while."""
    bed.clients.address("card", f"{address}/64")
    words = ["curl", "--silent", "--show-error", "--fail", "--globoff", "--max-time", "30"]
    with tempfile.NamedTemporaryFile() as file:
        bed.clients.run([*words, "--interface", address, "--output", file.name, url])
        found = file.read()
    bed.clients.ip("address", "flush", "dev", "card", "scope", "global")
    bed.clients.ip("link", "set", "card", "down")
    return found


def script_of(bed: Bed, address: str, mac: str = MAC) -> str:
    """What a machine at an address is told to run that says it has this MAC."""
    return fetch(bed, address, f"{URL}/boot/{mac.replace(':', '-')}").decode()


def kernel_line(bed: Bed) -> str:
    """The kernel line in the script of n001."""
    script = script_of(bed, OWN)
    found = re.search(r"^kernel \S+ \S+ \S+ (.*?)( \|\| .*)?$", script, re.MULTILINE)
    assert found, script
    return found[1]


def run_stage1(bed: Bed, line: str, scratch: Path, rest: str = "") -> list[str]:
    """Let stage 1 set up the network, and do the rest; what it said. CommandError where it gives up."""
    scratch.mkdir()
    (scratch / "line").write_text(line.replace(" ", "\n") + "\n")
    told = [f"{name}={value}" for name, value in (("STAGE1", STAGE1), ("SCRATCH", scratch))]
    try:
        bed.clients.run(["env", f"PATH={os.environ['PATH']}", *told, "dash", "-c", f"{_RUN}{rest}"], timeout=100)
    finally:
        said = (scratch / "said").read_text().splitlines()
        (scratch / "said").rename(scratch / "heard")
    return said


def events(bed: Bed) -> list[Event]:
    return History(bed.paths.events).recent(limit=500)


def test_stage_1_sets_up_the_device_and_gets_all_that_it_needs(bed: Bed, tmp_path: Path) -> None:
    loader = fetch(bed, OWN, f"tftp://[{HEAD6}]/autoexec.ipxe").decode()
    said = run_stage1(bed, kernel_line(bed), tmp_path / "stage1", _FETCH)
    token = (tmp_path / "stage1/token").read_text().strip()
    report = ["--data-binary", "event=system.report\nstate=running\n", f"{SECURE}/t/{token}/report"]
    trust = ["--cacert", str(tmp_path / "stage1/ca")]
    bed.clients.run(["curl", "--silent", "--fail", "--globoff", *trust, *report])
    eventually(lambda: History(bed.paths.events).boots("n001")[0].state == "ready")
    greeting = bed.clients.run(["perl", "-e", _STREAM, STAGE1, f"[{HEAD6}]", "10809"])

    assert loader.startswith(f"#!ipxe\nchain --replace {URL}/boot/")
    assert said == [f"network: eth0 {MAC} {OWN}/64", "handing over to demo@2"]
    assert (tmp_path / "stage1/image").read_bytes() == ROOT
    assert (tmp_path / "stage1/system.cpio").stat().st_size > 0
    assert (tmp_path / "stage1/url").read_text() == f"{SECURE}\n"
    assert greeting == "NBDMAGIC"
    wanted = {"stage1.started", "sheet.sent", "root.sent", "overlay.sent", "handover.done", "system.report"}
    eventually(lambda: wanted <= {event.name for event in events(bed) if event.node == "n001"})
    found = {event.name: event.address for event in events(bed) if event.node == "n001"}
    assert {name: found.get(name) for name in wanted} == dict.fromkeys(wanted, OWN)
    assert bed.clients.ip("-4", "-oneline", "address", "show", "dev", "eth0") == ""


def test_stage_1_makes_no_address_by_itself_and_takes_the_router_of_the_link(bed: Bed, tmp_path: Path) -> None:
    run_stage1(bed, kernel_line(bed), tmp_path / "stage1")

    assert bed.clients.run(["cat", "/proc/sys/net/ipv6/conf/eth0/autoconf"]) == "0\n"
    assert "default via fe80::1 dev eth0" in bed.clients.ip("-6", "route")


def test_an_address_that_another_machine_has_ends_the_boot(bed: Bed, tmp_path: Path) -> None:
    line = kernel_line(bed)
    bed.home.address(BRIDGE, f"{OWN}/64")
    try:
        with pytest.raises(CommandError):
            run_stage1(bed, line, tmp_path / "stage1")
    finally:
        bed.home.ip("address", "del", f"{OWN}/64", "dev", BRIDGE)

    heard = (tmp_path / "stage1/heard").read_text()
    assert heard == f"FAILED: another machine has the address {OWN}/64\n"


def test_the_script_is_for_the_address_of_the_node_and_what_its_tokens_open_too(bed: Bed) -> None:
    refused, script = script_of(bed, OTHERS), script_of(bed, OWN)
    kernel = re.search(rf"{re.escape(URL)}/t/\S+/kernel", script)
    assert kernel, script

    assert fetch(bed, OWN, kernel[0]) == KERNEL
    with pytest.raises(CommandError):
        fetch(bed, OTHERS, kernel[0])

    assert "/t/" not in refused
    eventually(lambda: {"script.stranger", "access.denied"} <= {event.name for event in events(bed)})


def test_an_image_that_is_the_initramfs_is_told_the_ipv6_url(bed: Bed) -> None:
    found = re.search(rf"{re.escape(URL)}/t/[^/]+/", script_of(bed, OTHERS, THEIRS))
    assert found
    files = {entry.path: entry.content for entry in cpio.unpack(fetch(bed, OTHERS, f"{found[0]}node"))}

    assert files[".provisioner/run/url"].decode() == f"{SECURE}\n"
