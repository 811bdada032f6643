"""Boots that fail, stand still or go round in circles."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from provisioner.http.refusal import REASON
from provisioner.operations.doctor.causes import CAUSES
from tests.support.ward import Ward


@pytest.mark.parametrize(
    ("reason", "check"),
    [
        ("no network device has the address x (is its driver in the image's kernel?)", "driver-absent"),
        ("eth0 has no link after 60 s (cable, switch port?)", "no-link"),
        ("this stage 1 knows no root of kind stream", "root-unknown"),
        (f"{REASON} of x@1: altered, or signed by a key that it does not know", "uki-refused"),
        ("the boot sheet is not signed by this site", "trust-broken"),
        ("the boot sheet is an old one, and no answer to this boot", "trust-broken"),
        ("the kernel line is not the one that the head node wrote", "trust-broken"),
        ("the machine loaded stage 1 of x@1, and the head node boots x@2", "trust-broken"),
        ("this stage 1 lacks tpm2: install tpm2-tools on the head node, and build the image again", "tpm-tools"),
        ("this machine shows no TPM 2.0 (switched off in its firmware?)", "tpm-absent"),
        ("the head node refuses the TPM: PCR 4 (loaders) not as accepted for n001", "tpm-refused"),
        ("the head node refuses sheet: the TPM of n001 has proven nothing in this boot", "tpm-refused"),
        ("the TPM makes no keys: 0x921", "tpm-faulty"),
        ("the TPM does not open what the head node closed for it: 0x921", "tpm-faulty"),
        ("the TPM does not sign its registers: 0x921", "tpm-faulty"),
        ("the TPM could not be shown in 900 s: no route", "tpm-faulty"),
        ("the system overlay is not closed for this TPM: bad decrypt", "tpm-faulty"),
        ("the head node does not stream this image", "stream-refused"),
        ("the root image cannot be streamed: refused: this is not a token", "stream-refused"),
        ("the root image is damaged: a block is not what the hash tree promises", "root-damaged"),
        ("not enough memory: 400 MiB free, the root image needs 900 MiB", "memory-short"),
        ("the unpacked root has 900 MiB and may take 400 MiB (root.size 50%)", "root-large"),
        ("the root image cannot be unpacked: cp: x: No space left on device", "root-large"),
        ("the root image cannot be unpacked: cp: x: Input/output error", "kernel-lacks"),
        ("this stage 1 lacks sfdisk: install it on the head node, and build the image again", "disk-tools"),
        ("the disk /dev/sda does not exist (is its driver in the image's kernel?)", "disk-absent"),
        ('the disk /dev/sda holds ntfs "DATA" and stays as it is: root.wipe would overwrite it', "disk-foreign"),
        ("the disk /dev/sda1 is too small: 90 MiB free, the root needs 900 MiB", "disk-small"),
        ("the disk /dev/sda cannot be partitioned: read-only", "disk-faulty"),
        ("the kernel cannot mount the ext4 of /dev/sda1: bad superblock", "disk-faulty"),
        ("the root cannot be unpacked on /dev/sda1: Input/output error", "disk-faulty"),
        ("the root image is damaged: its SHA-256 is x, the head node promised y", "root-damaged"),
        ("the system overlay is damaged: its SHA-256 is x, the head node promised y", "root-damaged"),
        ("the kernel cannot mount the root image (squashfs with zstd missing?)", "kernel-lacks"),
        ("no loop device for the root image", "kernel-lacks"),
        ("the root image did not arrive in 900 s", "fetch-slow"),
        ("the head node refuses the root image (status 403)", "fetch-refused"),
        ("the overlay file etc/x would leave the image by its link etc", "overlay-unfit"),
        ("the late hook 10-x.sh failed with status 3: no disk", "hook-failed"),
        ("SELinux is enforcing, and files cannot be labelled: the overlay x", "selinux-labels"),
        ("the head node did not take the hand-over", "handover-lost"),
        ("eth0 does not take the address 10.0.1.1/16", "device-refused"),
        ("another machine has the address fd00::11/64", "address-taken"),
        ("something new", "boot-failed"),
    ],
)
def test_what_stage_1_says_when_it_gives_up_has_a_meaning(ward: Ward, reason: str, check: str) -> None:
    ward.booted("failed", reason=reason)

    found = ward.findings()

    assert set(found) == {check}
    assert reason in found[check].message


def test_every_reason_of_stage_1_has_a_meaning() -> None:
    """The words are those of the script, so that a new one shows here."""
    scripts = (Path(__file__).resolve().parents[4] / "images/stage1/90provisioner").glob("*.sh")
    reasons = [reason for each in scripts for reason in re.findall(r'\bfail "([^"]+)"', each.read_text())]

    assert len(reasons) > 15
    assert [each for each in reasons if not any(cause.words.search(each) for cause in CAUSES)] == []


def test_a_boot_that_stands_still_before_the_kernel_is_told_by_how_far_it_came(ward: Ward) -> None:
    ward.booted("script", ago=300)
    assert set(ward.findings()) == {"kernel-not-fetched"}


def test_a_kernel_that_is_broken_off_is_told_from_one_that_was_never_asked_for(ward: Ward) -> None:
    ward.booted("script", ago=300).saw("kernel.broken", ago=250, boot="b0")

    assert set(ward.findings()) == {"kernel-broken"}


def test_a_kernel_that_never_speaks_points_at_its_drivers(ward: Ward) -> None:
    ward.booted("script", ago=300).saw("kernel.sent", ago=290, boot="b0").saw("stage1.sent", ago=280, boot="b0")

    found = ward.findings()["kernel-silent"]

    assert found.fix[0] == "prov boot show n001"
    assert found.evidence[0].text.startswith("stage1.sent")


def test_a_kernel_and_stage_1_in_one_file_that_never_speak_point_at_its_drivers_too(ward: Ward) -> None:
    ward.booted("script", ago=300).saw("uki.sent", ago=290, boot="b0")

    assert set(ward.findings()) == {"kernel-silent"}


@pytest.mark.parametrize(("state", "check"), [("stage1", "stage1-silent"), ("system", "system-silent")])
def test_a_boot_that_falls_silent_is_a_fault_after_a_while(ward: Ward, state: str, check: str) -> None:
    ward.booted(state, ago=500)
    assert ward.findings() == {}
    ward.boots.clear()

    ward.booted(state, ago=700)

    assert set(ward.findings()) == {check}


def test_a_boot_that_moves_is_left_alone(ward: Ward) -> None:
    ward.booted("script", ago=100).saw("kernel.sent", ago=20, boot="b0")

    assert ward.findings() == {}


def test_a_node_that_boots_again_and_again_shows_its_reasons(ward: Ward) -> None:
    for ago in (900, 600, 300):
        ward.booted("failed", ago=ago, reason="eth0 has no link after 60 s")

    found = ward.findings()["boot-loop"]

    assert found.evidence[0].text == "3 x eth0 has no link after 60 s"


def test_a_node_that_was_ready_between_its_boots_is_in_no_loop(ward: Ward) -> None:
    for ago, state in ((900, "superseded"), (600, "superseded"), (300, "ready")):
        ward.booted(state, ago=ago)

    assert ward.findings() == {}
