"""Two head nodes side by side: the one that gave the script is killed while stage 1 loads its image."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.events.history import History
from provisioner.lab.daemon import DaemonCommand, LabDaemon
from provisioner.lab.network import BRIDGE
from provisioner.lab.storm.cabling import cable
from provisioner.lab.vm import RunningMachine
from provisioner.model.event import Event
from provisioner.trust.sitekey import SiteKey
from tests.support.realsite import BOOT_SECONDS, RealSite, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1500)]

SECOND = IPv4Address("10.77.0.2")
CIDR = "10.77.0.0/16"
NODE = "n001"
UNDER_WAY = 4 << 20


@dataclass(frozen=True)
class Head:
    """One of the two: its daemon, its address, and where it keeps what it saw."""

    daemon: LabDaemon
    address: str
    paths: Paths

    def events(self, name: str) -> list[Event]:
        """The events of one name, newest first."""
        return [event for event in History(self.paths.events).recent(limit=1000) if event.name == name]


@pytest.fixture(scope="module")
def heads(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RealSite, list[Head]]]:
    """A site with two head nodes, both serving; the first one is that of the lab."""
    folder = tmp_path_factory.mktemp("heads")
    site = RealSite.make(folder / "one", images)
    file = site.root / "provisioner.yaml"
    text = file.read_text()
    assert CIDR in text
    file.write_text(text.replace(CIDR, f"{CIDR}\n    servers: [10.77.0.1, {SECOND}]"))
    SiteKey.load_or_create(site.paths.keys)
    shutil.copytree(site.root, folder / "two", symlinks=True)
    with site, second_head(site, Paths.below(folder / "two")) as second:
        assert site.lab.daemon is not None
        yield site, [Head(site.lab.daemon, "10.77.0.1", site.paths), second]


@contextmanager
def second_head(site: RealSite, paths: Paths) -> Iterator[Head]:
    """Another head node on the same wire, in a network namespace of its own."""
    with ExitStack() as stack:
        place = stack.enter_context(cable(site.lab.namespace.first.pid, relay=SECOND, prefix=16))
        site.lab.run(["ip", "link", "set", "storm0", "master", BRIDGE])
        daemon = LabDaemon(
            place, replace(DaemonCommand.serve(paths), timeout=120), paths.site.with_name("two.log")
        )
        stack.callback(daemon.stop)
        daemon.start()
        yield Head(daemon, str(SECOND), paths)


def console(machine: RunningMachine) -> str:
    """What its serial line showed so far."""
    return "\n".join(line.text for line in machine.serial.read())


def test_a_machine_gets_ready_when_its_head_node_dies_under_its_image(heads: tuple[RealSite, list[Head]]) -> None:
    site, both = heads
    machine = site.boot(1)

    def asked() -> Head | None:
        return next((head for head in both if head.events("sheet.sent")), None)

    died = wait_until(asked, "the boot sheet", BOOT_SECONDS)
    wait_until(lambda: "provisioner: image: debian-12" in console(machine), "the image", BOOT_SECONDS)
    before = site.lab.bytes_sent_to(NODE)
    wait_until(lambda: site.lab.bytes_sent_to(NODE) - before > UNDER_WAY, "some of the image", BOOT_SECONDS)
    died.daemon.kill()
    (other,) = (head for head in both if head is not died)
    wait_until(lambda: other.events("ready"), f"{NODE} to get ready", 2 * BOOT_SECONDS)

    said = f"http://{died.address}:8080 does not help; asking http://{other.address}:8080"
    assert said in console(machine)
    # What the first one had sent is not sent again.
    (sent,) = other.events("root.sent")
    assert other.events("script.boot") == []
    assert 0 < (sent.bytes or 0) < int(str(other.events("image.verified")[0].data["bytes"]))
    assert [head.events("dhcp.foreign") for head in both] == [[], []]
    assert site.shell(1, "cat /run/provisioner/url /run/provisioner/also").split() == [
        f"http://{other.address}:8080",
        f"http://{died.address}:8080",
    ]
