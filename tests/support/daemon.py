"""The real daemon in a namespace of its own, on a site with a small image, and curl as its client.

Every test takes a machine of its own (`head.machine()`), so that tests share one daemon and no state.
"""

from __future__ import annotations

import itertools
import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any

import psutil

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
from provisioner.operations import live
from provisioner.registry.store import read_current

ADDRESS = IPv4Interface("10.66.0.1/24")
URL = f"http://{ADDRESS.ip}:8080"
IMAGE = "demo"
KERNEL = b"kernel " * 2_000
STAGE1 = b"stage one " * 3_000
ROOT = bytes(range(256)) * 8_000

_MACHINES = 60
_PLAIN = range(1, _MACHINES + 1)
_SPECIAL = {"bare": "", "broken": "compute, broken", "endless": "compute, endless"}
_PATIENCE = 30.0
# A daemon is four interpreters, and others take the processors meanwhile.
START_SECONDS = 90.0
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
    "endless/rootfs/etc/endless.j2": "{% for a in range(99999) %}" * 2 + "{% endfor %}" * 2,
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
class Tokens:
    """The two tokens in a script."""

    script: str
    stage1: str


class Machine:
    """A machine that is a node of the site: a client with an address of its own, which speaks through curl."""

    def __init__(self, head: HeadNode, node: str, number: int) -> None:
        self.node = node
        self.mac = _mac(number)
        self.address = str(_address(number))
        self._head = head

    def get(self, path: str, *options: str | Path, output: Path | None = None) -> Answer:
        """What curl gets from a path, sent as it is; `output` is where it keeps the body."""
        head, body = self._head.new_file(), output or self._head.new_file()
        words = ("curl", "--silent", "--show-error", "--max-time", "300", "--interface", self.address)
        files = ("--dump-header", head, "--output", body, "--write-out", "%{http_code}", "--path-as-is")
        status = self._head.namespace.run([*words, *files, *options, f"{URL}{path}"], timeout=310)
        headers = dict(line.lower().split(": ", 1) for line in head.read_text().splitlines() if ": " in line)
        return Answer(int(status), headers, body.read_bytes() if body.exists() else b"")

    def start(self) -> Tokens:
        """Fetch the script; its tokens."""
        text = self.get(f"/boot/{self.mac.hyphenated}").text
        script, stage1 = re.search(r"/t/(\S+)/kernel", text), re.search(r"prov\.token=(\S+)", text)
        assert script, text
        assert stage1, text
        return Tokens(script[1], stage1[1])

    def report(self, token: str, event: str, **facts: str) -> Answer:
        """Send a report."""
        pairs = {"event": event, "uptime": "7.5", **facts}
        lines = "".join(f"{key}={value}\n" for key, value in pairs.items())
        return self.get(f"/t/{token}/report", "--data-binary", lines)

    def hand_over(self) -> str:
        """Boot up to the hand-over; the token of the running system."""
        answer = self.report(self.start().stage1, "handover.done")
        assert answer.status == 200, answer.text
        return answer.text

    @property
    def boot(self) -> BootRecord:
        """The newest boot, as it is on the disk."""
        return History(self._head.paths.events).boots(self.node)[0]

    def reaches(self, state: str) -> None:
        """Wait until the newest boot is in a state."""
        eventually(lambda: self.boot.state == state)

    def events(self, name: str) -> list[Event]:
        """Its newest events of one name."""
        return [event for event in self._head.events(name) if self.node == event.node]

    def saw(self, name: str, what: str = "") -> Event:
        """Wait for an event with these words; the newest one."""
        eventually(lambda: [event for event in self.events(name) if what in event.message])
        return next(event for event in self.events(name) if what in event.message)


class HeadNode:
    """A site below a folder, its daemon, and clients inside the same namespace."""

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self.namespace = namespace
        self.paths = Paths.below(folder / "s")
        command = replace(DaemonCommand.serve(self.paths), timeout=START_SECONDS)
        self.daemon = LabDaemon(namespace, command, folder / "daemon.log")
        self.bare, self.broken, self.endless = (
            Machine(self, node, number) for number, node in enumerate(_SPECIAL, start=_MACHINES + 1)
        )
        self._folder = folder
        self._numbers = iter(_PLAIN)
        self._files = itertools.count()

    def machine(self) -> Machine:
        """A machine that no other test uses."""
        number = next(self._numbers)
        return Machine(self, f"n{number:03}", number)

    def new_file(self) -> Path:
        """A path that nothing else uses."""
        return self._folder / f"curl{next(self._files)}"

    def events(self, name: str) -> list[Event]:
        """The newest events of one name, newest first."""
        return [event for event in History(self.paths.events).recent(limit=2000) if event.name == name]

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

    @property
    def revision(self) -> str:
        """The revision that is served."""
        return read_current(self.paths) or ""

    def serves_another(self, before: str) -> None:
        """Wait until the daemon serves another revision; on the disk it is a moment earlier."""
        eventually(lambda: (live.status(self.paths) or {}).get("revision") not in {None, before})

    def write_site(self) -> None:
        """Write the site as every test finds it: nodes that boot, and some that cannot; nothing else is left."""
        files = {
            "provisioner.yaml": _SITE,
            "groups.d/compute.yaml": _GROUPS,
            "nodes.d/rack1.yaml": _nodes(),
            **{f"overlays/{name}": text for name, text in _OVERLAYS.items()},
        }
        for name, text in files.items():
            self.write(name, text)
        for folder in (self.paths.group_files, self.paths.node_files, self.paths.site / "templates"):
            for path in folder.glob("*"):
                if str(path.relative_to(self.paths.site)) not in files:
                    path.unlink()

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
        for address in (ADDRESS.ip, *map(_address, range(1, _MACHINES + len(_SPECIAL) + 1))):
            namespace.run(["ip", "addr", "add", f"{address}/{ADDRESS.network.prefixlen}", "dev", "prov0"])
        head = HeadNode(namespace, folder)
        head.write_site()
        add_generation(head.paths)
        yield head


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


def processes(daemon: LabDaemon) -> list[psutil.Process]:
    """A daemon that runs, and its workers."""
    assert daemon.process is not None
    assert daemon.process.identity is not None
    front = psutil.Process(daemon.process.identity.pid)
    return [front, *front.children(recursive=True)]


def gone(process: psutil.Process) -> bool:
    """Whether a process has ended."""
    # Nobody in a namespace of tests takes the exit status of an orphan.
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def kill(daemon: LabDaemon) -> None:
    """End a daemon with -9, and wait until its workers have ended too; its log begins anew."""
    assert daemon.process is not None
    (front, *_) = processes(daemon)
    # A daemon that stands still starts no worker of which nobody here would know.
    daemon.process.send(signal.SIGSTOP)
    eventually(lambda: front.status() == psutil.STATUS_STOPPED)
    running = processes(daemon)
    assert "Traceback" not in daemon.log.read_text()
    daemon.kill()
    eventually(lambda: all(gone(process) for process in running))
    # What workers say when their daemon is gone is no word of the daemon.
    daemon.log.write_text("")


def _artifact(paths: Paths, content: bytes) -> Artifact:
    file = paths.images / "tmp" / "artifact"
    file.write_bytes(content)
    return store.add_artifact(paths, file)


def _nodes() -> str:
    ranges = f"""\
nodes:
  n[001-{_MACHINES:03}]: {{groups: [compute], interfaces: {{eth0: {{ip: {_address(1)}+}}}}}}
"""
    known = [f'  n{number:03}: {{interfaces: {{eth0: {{mac: "{_mac(number)}"}}}}}}' for number in _PLAIN]
    special = [
        f"  {node}: {{groups: [{groups}], "
        f'interfaces: {{eth0: {{mac: "{_mac(number)}", ip: {_address(number)}}}}}}}'
        for number, (node, groups) in enumerate(_SPECIAL.items(), start=_MACHINES + 1)
    ]
    return ranges + "\n".join((*known, *special)) + "\n"


def _mac(number: int) -> MacAddress:
    return MacAddress(f"52:54:00:00:00:{number:02x}")


def _address(number: int) -> IPv4Address:
    return ADDRESS.ip + 100 + number
