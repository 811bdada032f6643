"""The real daemon in a namespace of its own, on a site with a small image, and curl as its client.

Every test takes a machine of its own (`head.machine()`), so that tests share one daemon and no state.
"""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

from provisioner.config.paths import Paths
from provisioner.errors import CommandError
from provisioner.events.history import History
from provisioner.image import store
from provisioner.lab.daemon import DaemonCommand, LabDaemon, prov
from provisioner.lab.namespace import Namespace
from provisioner.model.address import MacAddress
from provisioner.model.boot import BootRecord
from provisioner.model.event import Event
from provisioner.model.image import Artifact, Generation, Origin

ADDRESS = IPv4Interface("10.66.0.1/24")
URL = f"http://{ADDRESS.ip}:8080"
IMAGE = "demo"
KERNEL = b"kernel " * 2_000
STAGE1 = b"stage one " * 3_000
ROOT = bytes(range(256)) * 8_000

_MACHINES = 60
_PATIENCE = 30.0
_SITE = f"""\
cluster: demo
networks:
  provision: {{cidr: {ADDRESS.network}, domain: cluster.local}}
ssh: {{admin_keys: ["ssh-ed25519 AAAA admin"]}}
"""
_GROUPS = """\
groups:
  compute:
    image: demo
    overlays: {system: [hostname, hosts, network, ssh, agent, motd], runtime: [hosts]}
    kernel: {args: [console=ttyS0]}
  endless:
    overlays: {system: [endless]}
  broken:
    overlays: {system: [broken]}
"""
_OVERLAYS = {
    "motd/rootfs/etc/motd.j2": "welcome to {{ node.name }}\n",
    "broken/rootfs/etc/broken.j2": "first line\n{{ node.nothing }}\n",
    "endless/rootfs/etc/endless.j2": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What curl got. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def pairs(self) -> dict[str, str]:
        """The body as lines of key=value."""
        return dict(line.split("=", 1) for line in self.text.splitlines())


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine that is a node of the site."""

    node: str
    mac: MacAddress


@dataclass(frozen=True, slots=True)
class Tokens:
    """The two tokens in a script."""

    script: str
    stage1: str


class HeadNode:
    """A site below a folder, its daemon, and clients inside the same namespace."""

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self.namespace = namespace
        self.folder = folder
        self.paths = Paths.below(folder / "s")
        self.daemon = LabDaemon(namespace, DaemonCommand.serve(self.paths), folder / "daemon.log")
        self._machines = map(_machine, range(1, _MACHINES + 1))
        self._files = itertools.count()

    def machine(self) -> Machine:
        """A machine that no other test uses."""
        return next(self._machines)

    def get(self, path: str, *options: str | Path) -> Answer:
        """What curl gets from a path, sent as it is."""
        number = next(self._files)
        head, body = (self.folder / f"{kind}{number}" for kind in ("head", "body"))
        options = ("--path-as-is", "--dump-header", head, "--output", body, *options)
        words = ("curl", "--silent", "--show-error", "--max-time", "60", "--write-out", "%{http_code}")
        status = self.namespace.run([*words, *options, f"{URL}{path}"])
        headers = dict(line.lower().split(": ", 1) for line in head.read_text().splitlines() if ": " in line)
        return Answer(int(status), headers, body.read_bytes() if body.exists() else b"")

    def script(self, machine: Machine) -> Tokens:
        """Fetch the script of a machine."""
        text = self.get(f"/boot/{machine.mac.hyphenated}").text
        script, stage1 = re.search(r"/t/(\S+)/kernel", text), re.search(r"prov\.token=(\S+)", text)
        assert script, text
        assert stage1, text
        return Tokens(script[1], stage1[1])

    def report(self, token: str, event: str, **facts: str) -> Answer:
        """Send a report."""
        lines = "\n".join(f"{key}={value}" for key, value in {"event": event, "uptime": "7.5", **facts}.items())
        return self.get(f"/t/{token}/report", "--data-binary", f"{lines}\n")

    def system_token(self, machine: Machine) -> str:
        """Boot a machine up to the hand-over; the token of its running system."""
        return self.report(self.script(machine).stage1, "handover.done").text

    def boot(self, machine: Machine) -> BootRecord:
        """The newest boot of a machine, as it is on the disk."""
        return History(self.paths.events).boots(machine.node)[0]

    def events(self, name: str) -> list[Event]:
        """The newest events of one name."""
        return [event for event in History(self.paths.events).recent(limit=1000) if event.name == name]

    def prov(self, *words: str) -> str:
        """Run the command inside the namespace and return what it printed."""
        return self.namespace.run(prov(self.paths, *words))

    def prov_fails(self, *words: str) -> CommandError:
        """Run a command that must fail; what it told."""
        try:
            printed = self.prov(*words)
        except CommandError as error:
            return error
        raise AssertionError(f"prov {' '.join(words)} did not fail; it printed: {printed}")

    def status(self) -> dict[str, Any]:
        """`prov status` as data."""
        answer: dict[str, Any] = json.loads(self.prov("status", "--format", "json"))
        return answer

    def write(self, name: str, text: str) -> None:
        """Write a file of the site, as an editor would: a new file renamed over the old one."""
        path = self.paths.site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_text(text)
        fresh.replace(path)

    def log(self) -> str:
        """What the daemon logged so far."""
        return self.daemon.log.read_text()


@contextmanager
def head_node(folder: Path) -> Iterator[HeadNode]:
    """A head node in a namespace of its own, its daemon not yet started."""
    with Namespace() as namespace:
        for words in (("link", "add", "prov0", "type", "bridge"), ("link", "set", "prov0", "up")):
            namespace.run(["ip", *words])
        namespace.run(["ip", "addr", "add", str(ADDRESS), "dev", "prov0"])
        head = HeadNode(namespace, folder)
        write_site(head.paths)
        yield head


def write_site(paths: Paths) -> None:
    """The site: a network, two groups, sixty nodes with a MAC, one without an image, two whose overlays fail."""
    files = {
        "provisioner.yaml": _SITE,
        "groups.d/compute.yaml": _GROUPS,
        "nodes.d/rack1.yaml": _nodes(),
        **{f"overlays/{name}": text for name, text in _OVERLAYS.items()},
    }
    for name, text in files.items():
        path = paths.site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    add_generation(paths)


def add_generation(paths: Paths, *, root: bytes = ROOT) -> Generation:
    """Publish a generation of the image, with artifacts that say little."""
    store.prepare(paths)
    generation = Generation(
        image=IMAGE,
        number=1,
        created=time.time(),
        architecture="x86_64",
        os_name="Debian GNU/Linux 12",
        os_id="debian",
        os_version="12",
        kernel_release="6.1.0-1-cloud-amd64",
        kernel=_artifact(paths, KERNEL),
        stage1=_artifact(paths, STAGE1),
        root=_artifact(paths, root),
        tree="sha256:" + "4" * 64,
        tree_size=len(root),
        entries=10,
        origin=Origin(kind="recipe", reference=IMAGE),
    )
    return store.publish(paths, generation)


def eventually(holds: Callable[[], object], *, patience: float = _PATIENCE) -> None:
    """Wait until something holds; AssertionError when it does not after `patience` seconds."""
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline, f"{holds} does not hold after {patience:g} s"
        time.sleep(0.05)


def _artifact(paths: Paths, content: bytes) -> Artifact:
    file = paths.images / "tmp" / "artifact"
    file.write_bytes(content)
    return store.add_artifact(paths, file)


def _machine(number: int) -> Machine:
    return Machine(f"n{number:03}", MacAddress(f"52:54:00:00:00:{number:02x}"))


BARE = Machine("bare", MacAddress("52:54:00:00:01:01"))
BROKEN = Machine("broken1", MacAddress("52:54:00:00:01:02"))
ENDLESS = Machine("endless1", MacAddress("52:54:00:00:01:03"))


def _nodes() -> str:
    ranges = f"""\
nodes:
  n[001-{_MACHINES:03}]: {{groups: [compute], interfaces: {{eth0: {{ip: 10.66.0.101+}}}}}}
  bare: {{interfaces: {{eth0: {{mac: "{BARE.mac}", ip: 10.66.0.91}}}}}}
  broken1: {{groups: [compute, broken], interfaces: {{eth0: {{mac: "{BROKEN.mac}", ip: 10.66.0.92}}}}}}
  endless1: {{groups: [compute, endless], interfaces: {{eth0: {{mac: "{ENDLESS.mac}", ip: 10.66.0.93}}}}}}
"""
    machines = map(_machine, range(1, _MACHINES + 1))
    return ranges + "".join(
        f'  {each.node}: {{interfaces: {{eth0: {{mac: "{each.mac}"}}}}}}\n' for each in machines
    )
