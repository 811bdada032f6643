"""What happens when something goes wrong between power-on and ready."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from provisioner.events.history import History
from provisioner.image.store import artifact_path, catalogue
from provisioner.model.address import MacAddress
from tests.support.realsite import BOOT_SECONDS, RealSite, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


def test_a_boot_survives_a_killed_daemon_and_keeps_its_revision_through_an_edit(cluster: RealSite) -> None:
    daemon = cluster.lab.daemon
    assert daemon is not None
    cluster.boot(3)
    cluster.wait_for_event("n003", "script.boot")
    first = cluster.last_boot("n003")
    assert first is not None

    daemon.kill()
    time.sleep(3)
    daemon.start()
    cluster.wait_for_event("n003", "stage1.started")
    cluster.write_motd("second")
    wait_until(
        lambda: cluster.paths.current_revision.read_text().strip() != first.revision, "the new revision", 30
    )
    done = cluster.wait_for_boot("n003")

    assert (done.id, done.state, done.revision) == (first.id, "ready", first.revision)
    assert cluster.shell(3, "cat /etc/motd") == "first plain n003\n"
    assert cluster.status("n003")["outdated"].startswith("revision ")


def test_one_flipped_bit_in_the_root_image_is_refused_with_the_reason(cluster: RealSite) -> None:
    generation = catalogue(cluster.paths).find("debian-12")
    assert generation is not None
    root = artifact_path(cluster.paths, generation.boot_set.root.digest)
    flip_bit(root, generation.boot_set.root.size // 2)

    machine = cluster.boot(4)
    machine.wait_for("provisioner: FAILED: the root image is damaged", BOOT_SECONDS)
    failed = cluster.wait_for_boot("n004")
    flip_bit(root, generation.boot_set.root.size // 2)
    machine.power_off()

    assert failed.state == "failed"
    assert "the root image is damaged" in failed.reason
    assert generation.boot_set.root.digest.removeprefix("sha256:") in failed.reason
    assert "damaged" in cluster.prov("status")


def flip_bit(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        octet = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([octet ^ 1]))


def test_an_unknown_machine_is_told_its_mac_and_boots_once_it_is_added(cluster: RealSite) -> None:
    stranger = MacAddress("52:54:00:77:99:99")

    machine = cluster.lab.boot("stranger", stranger)
    machine.wait_for(rf"MAC\s+{stranger}", BOOT_SECONDS)
    cluster.prov(
        "node", "add", "n042", "--yes", "--group", "compute", "--ip", "10.77.1.42", "--mac", str(stranger)
    )
    cluster.wait_for_event("n042", "stage1.started")
    machine.power_off()

    assert any(event.name == "script.unknown" for event in History(cluster.paths.events).recent(limit=500))


@pytest.mark.parametrize("path", ["root", "t//root", "t/abc.def/root", "t/abc/overlay/system"])
def test_a_fetch_without_a_good_token_is_refused_and_recorded(cluster: RealSite, path: str) -> None:
    before = len(
        [each for each in History(cluster.paths.events).recent(limit=1000) if each.name == "access.denied"]
    )

    answer = cluster.lab.run(["curl", "-s", "-w", "\n%{http_code}", f"http://10.77.0.1:8080/{path}"])

    assert answer.startswith("refused: ")
    assert answer.endswith("403")

    def recorded() -> bool:
        events = History(cluster.paths.events).recent(limit=1000)
        return len([each for each in events if each.name == "access.denied"]) > before

    wait_until(recorded, "the event", 10)


def test_a_bad_edit_leaves_the_last_good_state_serving_and_status_says_so(cluster: RealSite) -> None:
    before = cluster.paths.current_revision.read_text()
    bad = cluster.paths.node_files / "bad.yaml"
    # In one step: an empty file, which is what a daemon sees that looks half way, would be no mistake.
    draft = bad.with_name(".bad.yaml.new")
    draft.write_text("nodes:\n  n500: {imagee: debian-12}\n  n501: {interfaces: {eth0: {ip: 10.77.9.9}}}\n")
    draft.replace(bad)
    try:
        wait_until(lambda: "bad.yaml:2:" in cluster.prov("status"), "the mistake in the status", 30)
        revision = cluster.paths.current_revision.read_text()
        addresses = [address_of(cluster, name) for name in ("n001", "n501")]
    finally:
        bad.unlink()
    wait_until(lambda: "bad.yaml" not in cluster.prov("status"), "the repaired state", 30)

    assert revision == before
    assert addresses == ["10.77.1.1", ""]


def address_of(cluster: RealSite, node: str) -> str:
    """What the daemon's DNS says of a node."""
    return cluster.lab.run(["dig", "+short", "+time=2", "@10.77.0.1", f"{node}.cluster.local", "A"]).strip()
