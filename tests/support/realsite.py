"""A real site in a scratch folder with its lab: what the end-to-end tests talk to."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from ipaddress import IPv4Interface
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from provisioner.config.paths import Paths
from provisioner.events.history import History
from provisioner.host.run import run
from provisioner.lab.cluster import Lab
from provisioner.lab.daemon import DaemonCommand
from provisioner.lab.machine import MachineFirmware
from provisioner.lab.network import LabNetwork
from provisioner.lab.vm import RunningMachine
from provisioner.model.address import MacAddress
from provisioner.model.boot import BootRecord
from provisioner.model.event import Event
from provisioner.operations.boots import timeline
from tests.support.builtonce import built_once

CHECKOUT = Path(__file__).resolve().parents[2]
CACHE = CHECKOUT / ".cache" / "images"
STREAMED = "debian-12-streamed"
# Six times what a boot takes on two quiet cores: in a whole run four machines share them.
BOOT_SECONDS = 450.0
T = TypeVar("T")
_ENDED = frozenset({"ready", "degraded", "failed"})


def image_store() -> Path:
    """The folder of an image store that holds debian-12; builds it where its ingredients have changed."""
    return built_once(CACHE / ingredients(), _build) / "site" / "var" / "images"


def _build(store: Path) -> None:
    prov(store / "site", "init", "--cluster", "images", "--network", "10.77.0.0/16")
    prov(store / "site", "image", "build", "debian-12", "--archive", timeout=1800)
    # The same in small blocks, for nodes that read it block by block.
    prov(store / "site", "image", "copy", "debian-12", STREAMED)
    prov(store / "site", "image", "exec", STREAMED, "--streamed", "--", "touch", "/etc/streamed", timeout=900)


def ingredients() -> str:
    """What stands for everything that images are made with."""
    digest = hashlib.sha256()
    for path in sorted([*(CHECKOUT / "images").rglob("*"), *(CHECKOUT / "provisioner" / "image").glob("*.py")]):
        if path.is_file():
            digest.update(str(path.relative_to(CHECKOUT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def prov(root: Path, *words: str, timeout: float = 300) -> str:
    """Run the real command for a site and return what it printed."""
    command = [sys.executable, "-m", "provisioner", "--root", str(root), *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, f"prov {' '.join(words)}: {done.stderr}"
    return done.stdout


class RealSite:
    """A site, its daemon and its machines. Leaving it ends everything."""

    image = "debian-12"
    """What its nodes boot."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.paths = Paths.below(root)
        network = LabNetwork(IPv4Interface("10.77.0.1/16"))
        self.lab = Lab(network, root / "lab", daemon=DaemonCommand.serve(self.paths), capture=True)
        self._stack = ExitStack()

    @classmethod
    def make(cls, root: Path, images: Path) -> Self:
        """A site with two groups and nine nodes; the images are copied, so that a test may damage them."""
        site = cls(root)
        root.mkdir(parents=True, exist_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "e2e", "-f", root / "key"])
        prov(root, "init", "--cluster", "e2e", "--network", "10.77.0.0/16", "--admin-key", str(root / "key.pub"))
        # The tree is only needed to build; what nodes fetch is small.
        shutil.copytree(
            images, site.paths.images, ignore=shutil.ignore_patterns("trees", "manifests", "tmp", "logs")
        )
        # An emulated processor pays dearly for the kernel's mitigations, and may stand still for longer than units
        # wait for their start.
        arguments = (
            "--kernel-arg",
            "console=ttyS0,115200",
            "--kernel-arg",
            "mitigations=off",
            "--kernel-arg",
            "no_timer_check",
            "--kernel-arg",
            "systemd.default_timeout_start_sec=600",
        )
        prov(root, "group", "add", "compute", "--yes", "--image", cls.image, *arguments)
        prov(
            root,
            "group",
            "add",
            "gpu",
            "--yes",
            "--group",
            "compute",
            "--kernel-arg",
            "e2e.group=gpu",
            "--tag",
            "kind=gpu",
        )
        prov(root, "node", "add", "n[001-009]", "--yes", "--group", "compute", "--ip", "10.77.1.1+")
        for number in range(1, 10):
            prov(root, "node", "set", f"n{number:03}", "--yes", "--mac", str(mac(number)))
        prov(root, "node", "set", "n002", "--yes", "--group", "gpu")
        site.write_motd("first")
        prov(root, "group", "set", "compute", "--yes", "--system-overlay", "motd")
        return site

    def __enter__(self) -> Self:
        self._stack.enter_context(self.lab)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def prov(self, *words: str) -> str:
        """Run a command for this site."""
        return prov(self.root, *words)

    def write_motd(self, text: str) -> None:
        """Edit a file of an overlay by hand, as an admin would."""
        file = self.root / "overlays" / "motd" / "rootfs" / "etc" / "motd.j2"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text} {{{{ node.tags.get('kind', 'plain') }}}} {{{{ node.name }}}}\n")

    def status(self, node: str) -> dict[str, Any]:
        """What `prov status` says of a node."""
        nodes: list[dict[str, Any]] = json.loads(self.prov("status", "--format", "json"))["nodes"]
        return next(each for each in nodes if each["node"] == node)

    def boot(
        self,
        number: int,
        *,
        firmware: MachineFirmware = MachineFirmware.BIOS,
        drives: Sequence[Path] = (),
        variables: Path | None = None,
    ) -> RunningMachine:
        """Switch a node on; `drives` are its disks, `variables` those of its firmware."""
        return self.lab.boot(f"n{number:03}", mac(number), firmware=firmware, drives=drives, variables=variables)

    def last_boot(self, node: str) -> BootRecord | None:
        """The newest boot of a node."""
        boots = History(self.paths.events).boots(node, limit=1)
        return boots[0] if boots else None

    def wait_for_boot(self, node: str, *, after: str | None = None, seconds: float = BOOT_SECONDS) -> BootRecord:
        """Wait until a boot of the node, other than `after`, is ready, degraded or failed."""

        def ended() -> BootRecord | None:
            boot = self.last_boot(node)
            return boot if boot and boot.id != after and boot.state in _ENDED else None

        return wait_until(ended, f"the boot of {node} to end", seconds)

    def wait_for_event(self, node: str, name: str) -> Event:
        """Wait until the newest boot of a node has an event."""

        def found() -> Event | None:
            boot = self.last_boot(node)
            events = History(self.paths.events).timeline(boot.id) if boot else []
            return next((event for event in events if event.name == name), None)

        return wait_until(found, f"{name} of {node}", BOOT_SECONDS)

    def events(self, node: str) -> list[Event]:
        """The events of a node of late, those before its script too; the oldest first."""
        found = History(self.paths.events).recent(limit=1000)
        return sorted((each for each in found if each.node == node), key=lambda each: each.time)

    def event_names(self, node: str) -> list[str]:
        """The names of the events of the newest boot, in order."""
        return [step.name for step in timeline(self.paths, node).steps]

    def shell(self, number: int, command: str) -> str:
        """Run a command in a booted node, by ssh with the key of this site."""
        options = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=60"]
        known = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        target = f"root@10.77.1.{number}"
        # An emulated node that reads its whole root takes half a minute, and more beside three others.
        return self.lab.run(["ssh", *options, *known, "-i", str(self.root / "key"), target, command], timeout=300)


def mac(number: int) -> MacAddress:
    """The hardware address of node number N."""
    return MacAddress(f"52:54:00:77:00:{number:02x}")


def asked_once(names: Sequence[str]) -> list[str]:
    """The names of events, those of DHCP once each: firmware that was held up for a second asks again."""
    return [name for place, name in enumerate(names) if not name.startswith("dhcp.") or name not in names[:place]]


def wait_until(check: Callable[[], T | None], what: str, seconds: float) -> T:
    """The first true result of a check."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := check():
            return found
        time.sleep(0.2)
    raise AssertionError(f"waited {seconds:g} s for {what}")
