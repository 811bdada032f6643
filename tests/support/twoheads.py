"""Two head nodes of one site that answer side by side, each in a namespace of its own, and machines in a third.

with two_heads(tmp_path) as pair:
    pair.first.start()
    pair.second.start()
    kill(pair.first)
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from provisioner.config.paths import Paths, shipped_data
from provisioner.events.history import History
from provisioner.host.run import run
from provisioner.lab.daemon import DaemonCommand, LabDaemon
from provisioner.lab.namespace import Namespace
from provisioner.lab.process import Process
from provisioner.model.event import Event
from provisioner.trust.sitekey import SiteKey
from tests.support.daemon import ADDRESS, ROOT, HeadNode, add_generation

FIRST, SECOND = ADDRESS.ip, ADDRESS.ip + 1
URLS = (f"http://{FIRST}:8080", f"http://{SECOND}:8080")
POOL = f"{ADDRESS.ip + 199}-{ADDRESS.ip + 209}"
# More than the kernel keeps on its own for a daemon that is killed.
IMAGE = ROOT * 16
# As many as the tests take.
_MACHINES = [ADDRESS.ip + 100 + number for number in range(1, 13)]

# What needs a kernel line or a console, and nothing else.
_STAGE1 = """
. "$STAGE1/stage1.sh"
WORK=$SCRATCH
argument() { [ "$1" != token ] || echo "$TOKEN"; }
say() { echo "$*" >> "$SCRATCH/said"; }
fail() { echo "FAILED: $*" >> "$SCRATCH/said"; exit 1; }
OTHERS=$ALSO
use_head "$HEAD"
"""


@dataclass
class Pair:
    """The two daemons; `site` has the files of the first one, and machines in the network of both."""

    site: HeadNode
    first: LabDaemon
    second: LabDaemon
    other: Paths

    def events(self, name: str) -> tuple[list[Event], list[Event]]:
        """The events of one name that each head node recorded."""
        both = (History(paths.events).recent(limit=2000) for paths in (self.site.paths, self.other))
        one, two = ([event for event in events if event.name == name] for events in both)
        return one, two

    def stage1(
        self, scratch: Path, steps: str, *, address: str, token: str, urls: tuple[str, str] = URLS
    ) -> Process:
        """Run functions of stage 1 at the address of a machine; what it says is in `scratch/said`."""
        scratch.mkdir(exist_ok=True)
        # So slow that an image takes some seconds.
        (scratch / ".curlrc").write_text(f"interface = {address}\nlimit-rate = 8M\n")
        folder = shipped_data() / "images/stage1/90provisioner"
        told = {"STAGE1": folder, "SCRATCH": scratch, "CURL_HOME": scratch, "TOKEN": token}
        words = [f"{name}={value}" for name, value in told.items()]
        words += [f"PATH={os.environ['PATH']}", f"HEAD={urls[0]}", f"ALSO={urls[1]}"]
        with (scratch / "output").open("ab") as output:
            command = ("env", *words, "dash", "-c", _STAGE1 + steps)
            return self.site.namespace.spawn(command, output=output, cwd=scratch)


@contextmanager
def two_heads(folder: Path) -> Iterator[Pair]:
    """Two head nodes of a site with the machines of `tests.support.daemon`; neither daemon is started."""
    with ExitStack() as stack:
        one, two, crowd = (stack.enter_context(Namespace()) for _ in range(3))
        _wire(one, two, crowd)
        site = HeadNode(crowd, folder)
        site.write_site()
        text = (site.paths.site / "provisioner.yaml").read_text()
        more = f"servers: [{FIRST}, {SECOND}], pool: {POOL}"
        site.write(
            "provisioner.yaml", text.replace(f"cidr: {ADDRESS.network}", f"cidr: {ADDRESS.network}, {more}")
        )
        add_generation(site.paths, root=IMAGE)
        SiteKey.load_or_create(site.paths.keys)
        other = Paths.below(folder / "t")
        shutil.copytree(site.paths.site, other.site, symlinks=True)
        daemons = first, second = [
            LabDaemon(place, replace(DaemonCommand.serve(paths), timeout=120), folder / f"{name}.log")
            for name, place, paths in (("first", one, site.paths), ("second", two, other))
        ]
        yield Pair(site, first, second, other)
        for daemon in daemons:
            daemon.stop()
            assert "Traceback" not in daemon.log.read_text()


def _wire(one: Namespace, two: Namespace, crowd: Namespace) -> None:
    """A switch in the place of the first, the others cabled to it; the addresses of machines in the crowd's."""
    one.run(["ip", "link", "add", "prov0", "type", "bridge"])
    for name, place in (("two", two), ("crowd", crowd)):
        # From outside: neither of the two knows the processes of the other.
        words = ["link", "add", name, "master", "prov0", "type", "veth", "peer", "name", "prov0"]
        inside = ["nsenter", "--target", str(one.first.pid), "--net", "--", "ip"]
        run([*inside, *words, "netns", str(place.first.pid)])
        run([*inside, "link", "set", name, "up"])
    for place, addresses in ((one, [FIRST]), (two, [SECOND]), (crowd, _MACHINES)):
        for address in addresses:
            place.run(["ip", "address", "add", f"{address}/{ADDRESS.network.prefixlen}", "dev", "prov0"])
        place.run(["ip", "link", "set", "prov0", "up"])
