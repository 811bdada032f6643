"""A node reads its root block by block: it outlives a daemon, a cable and, once it has a copy, the head node."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from provisioner.errors import CommandError
from provisioner.image.store import artifact_path, catalogue
from provisioner.lab.daemon import LabDaemon
from provisioner.model.boot import BootRecord
from provisioner.model.image import Generation
from tests.support.realsite import STREAMED, RealSite, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1500)]

READ_ALL = "cd /usr && find . -xdev -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum"
DROP = "echo 3 > /proc/sys/vm/drop_caches"


@dataclass(frozen=True)
class Streaming:
    """n001 with its root on the head node, and what it told of itself when it was ready."""

    site: RealSite
    boot: BootRecord
    facts: dict[str, str]

    @property
    def generation(self) -> Generation:
        found = catalogue(self.site.paths).find(STREAMED)
        assert found is not None
        return found

    @property
    def daemon(self) -> LabDaemon:
        assert self.site.lab.daemon is not None
        return self.site.lab.daemon

    def in_background(self, command: str) -> None:
        """Run a command in the node that goes on when the network is cut; what it prints is in /tmp/out."""
        self.site.shell(
            1,
            f"rm -f /tmp/out; nohup sh -c '({command}) > /tmp/new 2>&1; mv /tmp/new /tmp/out' > /dev/null 2>&1 &",
        )

    def outcome(self) -> str:
        return wait_until(self._printed, "the command on n001", 300)

    def _printed(self) -> str:
        try:
            return self.site.shell(1, "cat /tmp/out 2> /dev/null || true")
        except CommandError:
            # What ssh needs is in the root, which may be away for the moment.
            return ""


@pytest.fixture(scope="module")
def streaming(cluster: RealSite) -> Streaming:
    """n001 with its root on the head node, ready. Each of the other tests has a machine of its own."""
    cluster.prov("group", "set", "compute", "--yes", f"image={STREAMED}", "root.kind=stream")
    cluster.boot(1)
    boot = cluster.wait_for_boot("n001")
    return Streaming(cluster, boot, cluster.status("n001")["facts"])


def test_it_gets_ready_on_fewer_bytes_and_less_memory_than_the_whole(streaming: Streaming) -> None:
    generation = streaming.generation
    assert (streaming.boot.state, streaming.boot.reason) == ("ready", "")
    facts = streaming.facts

    assert facts["stream"] == "remote"
    assert 0 < int(facts["stream_bytes"]) <= 0.4 * generation.boot_set.root.size
    used = int(facts["memory_total"]) - int(facts["memory_available"])
    assert used * 1024 < generation.tree_size


def test_the_root_is_checked_block_by_block_under_a_layer_that_takes_what_is_written(streaming: Streaming) -> None:
    told = streaming.site.shell(1, "findmnt -n -o FSTYPE /; cd /sys/block; cat dm-*/dm/name; ls dm-*/slaves")

    assert told.split() == ["overlay", "provisioner-root", "nbd0"]
    assert streaming.site.shell(1, "systemctl --failed --plain --no-legend") == ""


def test_the_token_of_the_stream_is_in_no_list_of_processes(streaming: Streaming) -> None:
    token = streaming.site.shell(1, "cat /run/provisioner/stream-token").strip()

    assert streaming.site.shell(1, "stat -c '%a %U' /run/provisioner/stream-token") == "600 root\n"
    assert token not in streaming.site.shell(1, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")


def test_a_daemon_that_is_killed_and_comes_back_is_waited_for(streaming: Streaming) -> None:
    site = streaming.site
    before = site.shell(1, READ_ALL)
    site.shell(1, DROP)
    streaming.in_background(READ_ALL)
    streaming.daemon.kill()
    streaming.daemon.start()

    assert streaming.outcome() == before
    assert site.event_names("n001").count("stream.opened") >= 2


def test_a_cable_that_is_pulled_for_half_a_minute_is_waited_for(streaming: Streaming) -> None:
    site = streaming.site
    before = site.shell(1, READ_ALL)
    site.shell(1, DROP)
    streaming.in_background(READ_ALL)
    site.lab.run(["sh", "-c", "ip link set tap0 down; sleep 30; ip link set tap0 up"])

    assert streaming.outcome() == before


def test_with_a_copy_in_memory_a_node_needs_no_head_node(streaming: Streaming) -> None:
    site = streaming.site
    site.prov("node", "set", "n002", "--yes", "root.prefetch=true")
    node = site.boot(2)
    site.wait_for_event("n002", "stream.local")
    expected = site.shell(2, READ_ALL)

    streaming.daemon.kill()
    site.shell(2, DROP)

    assert site.shell(2, READ_ALL) == expected
    told = site.shell(2, "ls /sys/block/dm-*/slaves; cat /run/provisioner/stream-state")
    assert told.split() == ["loop0", "stream=local"]
    assert site.shell(2, "pgrep -f '^@provisioner-stream' || true") == ""
    streaming.daemon.start()
    node.power_off()


def test_a_block_that_was_altered_is_refused_and_after_the_repair_the_node_starts_and_restarts(
    streaming: Streaming,
) -> None:
    site = streaming.site
    path = artifact_path(site.paths, streaming.generation.boot_set.root.digest)
    alter(path)
    try:
        node = site.boot(3)
        node.wait_for("FAILED: the root image is damaged: a block is not what the hash tree promises", 300)
        status = site.wait_for_boot("n003")
        assert status.reason == "the root image is damaged: a block is not what the hash tree promises"
    finally:
        alter(path)
    repaired = site.wait_for_boot("n003", after=status.id)
    assert repaired.state == "ready"

    # Nothing of a shutdown may wait for a connection that is gone.
    site.shell(3, "systemctl reboot")
    wait_until(lambda: (boot := site.last_boot("n003")) and boot.id != repaired.id, "n003 to restart", 300)
    node.power_off()


def alter(path: Path) -> None:
    """Turn one bit of the first block; twice, and it is what it was."""
    with path.open("r+b") as stream:
        stream.seek(40)
        byte = stream.read(1)
        stream.seek(40)
        stream.write(bytes([byte[0] ^ 1]))
        os.fsync(stream.fileno())
