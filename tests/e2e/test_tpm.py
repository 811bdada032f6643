"""A node shows its TPM before it gets a sealed secret: only its own one will do, with what was accepted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from provisioner.lab import tpm
from provisioner.lab.machine import MachineFirmware
from provisioner.lab.vm import RunningMachine
from provisioner.model.event import Event
from tests.support.realsite import BOOT_SECONDS, RealSite, mac, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800), pytest.mark.needs("swtpm", "tpm2")]

NODE = "n006"
SECRET = "the key of the vault"
KNOWN = "provisioner: tpm: the head node knows this TPM and what it measured"


@dataclass(frozen=True)
class Story:
    """One machine, by its consoles: its first boot, one by another loader, one with another TPM."""

    site: RealSite
    file: str
    mode: str
    left: str
    first: str
    status: str
    shown: str
    accepted: str
    events: list[Event]
    foreign: str
    foreign_status: str


def boot(site: RealSite) -> RunningMachine:
    return site.lab.boot(NODE, mac(6), firmware=MachineFirmware.UEFI, tpm=True)


def console(machine: RunningMachine) -> str:
    return Path(machine.serial.path).read_text(errors="replace")


@pytest.fixture(scope="module")
def story(cluster: RealSite) -> Story:
    """n006: its TPM is trusted at its first use; then firmware loads something else; then the TPM is replaced."""
    site = cluster
    text = (site.root / "provisioner.yaml").read_text()
    (site.root / "provisioner.yaml").write_text(f"{text}secrets: {{vault: {{sealed: tpm}}}}\n")
    overlay = site.root / "overlays/vault/overlay.yaml"
    overlay.parent.mkdir(parents=True)
    overlay.write_text("secrets: {etc/vault.key: vault}\n")
    (site.root / "secret").write_text(SECRET)
    site.prov("secret", "set", "vault", "--from-file", str(site.root / "secret"))
    words = ("tpm.required=true", "tpm.first_use=true", "overlays.system=vault", "boot.attempts=0")
    site.prov("node", "set", NODE, *words, "--yes")
    with boot(site) as machine:
        ready = site.wait_for_boot(NODE)
        file, mode = site.shell(6, "cat /etc/vault.key"), site.shell(6, "stat -c %a /etc/vault.key")
        left, first = site.shell(6, "ls /run/provisioner"), console(machine)
    assert ready.state == "ready", first
    site.prov("node", "set", NODE, "boot.loader=ipxe", "--yes")
    with boot(site) as machine:
        failed = site.wait_for_boot(NODE, after=ready.id)
        status, shown = site.status(NODE)["reason"], site.prov("tpm", "show", NODE)
        accepted = site.prov("tpm", "accept", NODE, "--yes")
        # It restarts by itself.
        machine.wait_for(KNOWN, BOOT_SECONDS)
        wait_until(lambda: verified_after(site, failed.id), "a boot that is verified", BOOT_SECONDS)
    after = site.last_boot(NODE)
    assert after is not None
    # Put aside, not removed: the old one may be writing down its last state.
    (machine.folder / tpm.STATE).rename(machine.folder / "former")
    with boot(site) as machine:
        machine.wait_for("provisioner: FAILED: ", BOOT_SECONDS)
        site.wait_for_boot(NODE, after=after.id)
        foreign = console(machine)
    reason = site.status(NODE)["reason"]
    return Story(site, file, mode, left, first, status, shown, accepted, site.events(NODE), foreign, reason)


def verified_after(site: RealSite, boot: str) -> bool:
    return any(each.name == "tpm.verified" and each.boot != boot for each in site.events(NODE)[-20:])


def test_the_first_tpm_is_enrolled_and_its_machine_gets_the_secret(story: Story) -> None:
    names = [event.name for event in story.events]

    assert (story.file, story.mode.strip()) == (SECRET, "600")
    assert KNOWN in story.first
    assert names.index("tpm.enrolled") < names.index("tpm.verified") < names.index("sheet.sent")
    assert names.count("tpm.enrolled") == 1


def test_nothing_of_the_proof_is_left_in_the_running_system(story: Story) -> None:
    assert "tpm" not in story.left.split()


def test_another_loader_is_refused_by_its_register_alone_and_said_everywhere(story: Story) -> None:
    reason = f"the head node refuses the TPM: PCR 4 (loaders) not as accepted for {NODE}"

    assert story.status.strip() == reason
    assert "PCR 4 (loaders) not as accepted" in story.shown
    assert any(event.name == "tpm.refused" and event.level == "alarm" for event in story.events)


def test_what_was_accepted_boots_at_the_next_try_without_a_hand(story: Story) -> None:
    assert f"{NODE}: PCR 4 (loaders): " in story.accepted
    assert "PCR 7" not in story.accepted
    assert [event.name for event in story.events].count("tpm.verified") == 2


def test_the_same_machine_with_another_tpm_gets_nothing_and_is_told_why(story: Story) -> None:
    assert f"provisioner: FAILED: the head node refuses the TPM: {NODE} has the TPM " in story.foreign
    assert f"{NODE} has the TPM " in story.foreign_status
    last = max(event.time for event in story.events if event.name == "tpm.verified")
    asked = [event for event in story.events if event.time > last and event.name == "script.boot"]
    assert asked
    assert not [e for e in story.events if e.time > asked[0].time and e.name in {"sheet.sent", "overlay.sent"}]
