"""A node with an IPv6 address alone, against the real daemon: the very functions of stage 1, run by its shell."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.config.paths import Paths, shipped_data
from provisioner.errors import CommandError
from provisioner.events.history import History
from provisioner.model.event import Event
from tests.support.daemon import KERNEL, ROOT, add_generation, eventually
from tests.support.packets import MAC
from tests.support.rig import HEAD, Rig, daemon, rig

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("ip", "curl", "dash", "perl")]

STAGE1 = shipped_data() / "images/stage1/90provisioner"
HEAD6, OWN, OTHERS = "fd66::1", "fd66::11", "fd66::12"
URL = f"http://[{HEAD6}]:8080"
_SITE = f"""\
cluster: demo
networks:
  provision: {{cidr: {HEAD.network}, cidr6: "fd66::/64", dhcp: "off", dhcp6: authoritative, gateway6: "fe80::1"}}
"""
_NODES = f"""\
nodes:
  n001: {{image: demo, interfaces: {{eth0: {{mac: "{MAC}", ip6: "{OWN}"}}}}}}
  n002: {{image: demo, interfaces: {{eth0: {{mac: "52:54:00:77:00:12", ip6: "{OTHERS}"}}}}}}
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


@pytest.fixture
def bed() -> Iterator[Rig]:
    """A cable whose other end is the card of a machine, which has no address yet."""
    with rig() as found:
        found.home.address(found.ours, f"{HEAD6}/64")
        found.clients.ip("-4", "address", "flush", "dev", found.theirs)
        found.clients.ip("link", "set", found.theirs, "down", "address", MAC)
        found.clients.ip("link", "set", found.theirs, "name", "card")
        yield found


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = Paths.below(tmp_path / "site")
    for path, text in ((found.site_file, _SITE), (found.node_files / "n.yaml", _NODES)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    add_generation(found)
    return found


def fetch(bed: Rig, address: str, url: str) -> str:
    """What firmware and iPXE get that hold an address for a while."""
    bed.clients.address("card", f"{address}/64")
    words = ["curl", "--silent", "--show-error", "--fail", "--globoff", "--max-time", "30"]
    found = bed.clients.run([*words, "--interface", address, url])
    bed.clients.ip("address", "flush", "dev", "card", "scope", "global")
    bed.clients.ip("link", "set", "card", "down")
    return found


def kernel_line(bed: Rig) -> str:
    """The kernel line in the script of n001."""
    script = fetch(bed, OWN, f"{URL}/boot/{MAC.replace(':', '-')}")
    found = re.search(r"^kernel \S+ \S+ \S+ (.*?)( \|\| .*)?$", script, re.MULTILINE)
    assert found, script
    return found[1]


def run_stage1(bed: Rig, line: str, scratch: Path, rest: str = "") -> list[str]:
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


def events(paths: Paths) -> list[Event]:
    return History(paths.events).recent(limit=200)


def test_stage_1_sets_up_the_device_and_gets_all_that_it_needs(bed: Rig, paths: Paths, tmp_path: Path) -> None:
    with daemon(bed.home, paths):
        loader = fetch(bed, OWN, f"tftp://[{HEAD6}]/autoexec.ipxe")
        line = kernel_line(bed)
        said = run_stage1(bed, line, tmp_path / "stage1", _FETCH)
        token = (tmp_path / "stage1/token").read_text().strip()
        report = ["--data-binary", "event=system.report\nstate=running\n", f"{URL}/t/{token}/report"]
        bed.clients.run(["curl", "--silent", "--fail", "--globoff", *report])
        eventually(lambda: History(paths.events).boots("n001")[0].state == "ready")
        greeting = bed.clients.run(["perl", "-e", _STREAM, STAGE1, f"[{HEAD6}]", "10809"])

    assert loader.startswith(f"#!ipxe\nchain --replace {URL}/boot/")
    assert said == [f"network: eth0 {MAC} {OWN}/64", "handing over to demo@1"]
    assert (tmp_path / "stage1/image").read_bytes() == ROOT
    assert (tmp_path / "stage1/system.cpio").stat().st_size > 0
    assert (tmp_path / "stage1/url").read_text() == f"{URL}\n"
    assert greeting == "NBDMAGIC"
    found = {event.name: event.address for event in events(paths) if event.node == "n001"}
    wanted = {"stage1.started", "sheet.sent", "root.sent", "overlay.sent", "handover.done", "system.report"}
    assert {name: found.get(name) for name in wanted} == dict.fromkeys(wanted, OWN)
    assert bed.clients.ip("-4", "-oneline", "address", "show", "dev", "eth0") == ""


def test_stage_1_makes_no_address_by_itself_and_takes_the_router_of_the_link(
    bed: Rig, paths: Paths, tmp_path: Path
) -> None:
    with daemon(bed.home, paths):
        line = kernel_line(bed)
    run_stage1(bed, line, tmp_path / "stage1")

    assert bed.clients.run(["cat", "/proc/sys/net/ipv6/conf/eth0/autoconf"]) == "0\n"
    assert "default via fe80::1 dev eth0" in bed.clients.ip("-6", "route")


def test_an_address_that_another_machine_has_ends_the_boot(bed: Rig, paths: Paths, tmp_path: Path) -> None:
    with daemon(bed.home, paths):
        line = kernel_line(bed)
        bed.home.address(bed.ours, f"{OWN}/64")

        with pytest.raises(CommandError):
            run_stage1(bed, line, tmp_path / "stage1")

    heard = (tmp_path / "stage1/heard").read_text()
    assert heard == f"FAILED: another machine has the address {OWN}/64\n"


def test_the_script_is_for_the_address_of_the_node_and_what_its_tokens_open_too(bed: Rig, paths: Paths) -> None:
    with daemon(bed.home, paths):
        refused = fetch(bed, OTHERS, f"{URL}/boot/{MAC.replace(':', '-')}")
        script = fetch(bed, OWN, f"{URL}/boot/{MAC.replace(':', '-')}")
        kernel = re.search(rf"{re.escape(URL)}/t/\S+/kernel", script)
        assert kernel, script
        assert fetch(bed, OWN, kernel[0]).encode() == KERNEL
        with pytest.raises(CommandError):
            fetch(bed, OTHERS, kernel[0])
        eventually(lambda: "access.denied" in {event.name for event in events(paths)})

    assert "/t/" not in refused
    assert {"script.stranger", "access.denied"} <= {event.name for event in events(paths)}
