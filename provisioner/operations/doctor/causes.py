"""Why a boot fails: the words of stage 1 or of the head node, what they mean, and what helps."""

from __future__ import annotations

import re
from dataclasses import dataclass

from provisioner.operations.doctor.finding import NODE


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a boot fails: the check's name, what its words look like, what that means, and what helps."""

    check: str
    words: re.Pattern[str]
    meaning: str
    fix: tuple[str, ...]


def _cause(check: str, words: str, meaning: str, *fix: str) -> Cause:
    return Cause(check, re.compile(words), meaning, fix)


CAUSES = (
    _cause(
        "uki-refused",
        "the firmware does not start kernel and stage 1",
        "kernel and stage 1 were altered on the way or in the store, or the firmware does not know the site's key",
        "prov image verify",
        "prov secureboot status",
    ),
    _cause(
        "selinux-labels",
        "^SELinux is enforcing",
        "the image enforces SELinux, and its policy or its programs (policycoreutils) do not work in it",
        f"prov boot log {NODE}",
        f"prov node set {NODE} kernel.args=[enforcing=0]",
    ),
    _cause(
        "driver-absent",
        "no network device has the address",
        "stage 1 has no driver for the network card, or the card has another MAC",
        "prov image inspect IMAGE",
        f"prov node show {NODE}",
    ),
    _cause("no-link", "has no link", "the network card has no link", "look at the cable and the switch port"),
    _cause(
        "root-unknown",
        "knows no root of kind",
        "the stage 1 of this image is older than the kind of root that the node wants",
        "prov image build RECIPE --name IMAGE",
        f"prov node set {NODE} root.kind=overlay",
    ),
    _cause(
        "trust-broken",
        "the boot sheet is|the kernel line is not|the machine loaded stage 1 of",
        "somebody between the node and the head node altered what they say, or the node is told two things",
        f"prov boot show {NODE}",
        "prov keys show on every head node: all must show the same",
    ),
    _cause(
        "tpm-tools",
        "lacks tpm2",
        "the machine that built this image has no tpm2-tools, so its stage 1 cannot show a TPM",
        "apt-get install tpm2-tools",
        "prov image build RECIPE --name IMAGE",
    ),
    _cause(
        "tpm-absent",
        "shows no TPM",
        "the machine has no TPM 2.0, it is switched off, or the kernel of the image has no driver for it",
        "look at the settings of the firmware",
        f"prov node set {NODE} tpm.required=false",
    ),
    _cause(
        "tpm-refused",
        "refuses the TPM|has proven nothing in this boot|for its TPM is none",
        "the TPM of the machine is not the one that is enrolled, or it measured what nobody accepted",
        f"prov tpm show {NODE}",
        f"prov tpm accept {NODE}, or prov tpm enrol {NODE}, where you know why",
    ),
    _cause(
        "tpm-faulty",
        "the TPM (makes|does|could)|not closed for this TPM",
        "the TPM does not do what stage 1 asks of it: locked, in use, or broken",
        f"prov boot log {NODE}",
    ),
    _cause(
        "stream-refused",
        "cannot be streamed|does not stream",
        "the head node does not give the root image block by block",
        f"prov boot show {NODE}",
        "prov image build RECIPE --name IMAGE",
        f"prov node set {NODE} root.kind=overlay",
    ),
    _cause(
        "memory-short",
        "not enough memory",
        "the machine has too little memory for this root image",
        "prov image list",
        f"prov node set {NODE} image=SMALLER-IMAGE",
    ),
    _cause(
        "root-large",
        "may take .* MiB|cannot be unpacked: .*No space",
        "the unpacked root is larger than it may be",
        f"prov node set {NODE} root.size=SIZE",
        f"prov node set {NODE} root.kind=overlay",
    ),
    _cause(
        "disk-tools",
        "this stage 1 lacks",
        "the machine that built this image has no program to make roots on disks (fdisk, e2fsprogs, xfsprogs)",
        "prov image build RECIPE --name IMAGE",
    ),
    _cause(
        "disk-absent",
        "the disk .* does not exist",
        "the disk that the root belongs on is not there, or stage 1 has no driver for it",
        f"prov node show {NODE}",
        "prov image inspect IMAGE",
    ),
    _cause(
        "disk-foreign",
        "stays as it is",
        "the disk holds something that is not ours, and root.wipe does not let stage 1 overwrite it",
        "look at what is on it",
        f"prov node set {NODE} root.wipe=true",
    ),
    _cause(
        "disk-small",
        "the disk .* is too small",
        "the root does not fit on its disk or partition",
        f"prov node show {NODE}",
    ),
    _cause(
        "disk-faulty",
        r"the disk .* (cannot be read|cannot be partitioned|takes no)|cannot (mount the \S+ of|be unpacked on) ",
        "the disk cannot be written or read: it is broken, read-only, or the partitions do not fit on it",
        f"prov node show {NODE}",
        "smartctl -a DEVICE",
    ),
    _cause(
        "root-damaged",
        "is damaged",
        "what arrived is not what was sent: bad memory, a bad card, or a damaged store",
        "prov image verify",
        "run memtest on the machine",
    ),
    _cause(
        "kernel-lacks",
        "the kernel cannot mount|no loop device|root image cannot be",
        "the kernel of the image lacks squashfs, overlayfs or loop",
        "prov image inspect IMAGE",
    ),
    _cause(
        "fetch-slow",
        "did not arrive in",
        "the head node could not be reached, or was too slow",
        "prov status",
        "ip -s link show DEVICE",
    ),
    _cause(
        "fetch-refused",
        "the head node refuses",
        "the head node refused what stage 1 asked for",
        f"prov boot show {NODE}",
    ),
    _cause(
        "hook-failed",
        "hook",
        "a hook of the node's system overlays failed, or cannot be read",
        f"prov boot log {NODE}",
        f"prov overlay render {NODE} --output DIR",
    ),
    _cause(
        "overlay-unfit",
        "overlay",
        "a system overlay does not fit the image",
        f"prov overlay render {NODE} --output DIR",
    ),
    _cause(
        "handover-lost",
        "hand-over|gave no token",
        "the head node did not answer the hand-over",
        "prov status",
    ),
    _cause(
        "address-taken",
        "another machine has the address",
        "another machine answers for the IPv6 address of the node",
        f"prov node show {NODE}",
        "find that machine: ip -6 neighbour show ADDRESS, on the head node",
    ),
    _cause(
        "device-refused",
        "cannot be|does not take",
        "the network device cannot be set up",
        f"prov node show {NODE}",
    ),
)
"""The first one whose words are in the reason is the one."""
