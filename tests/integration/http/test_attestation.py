"""A sealed secret goes to the machine whose TPM has proven which it is and what it measured, and to no other.

The node is the very shell of stage 1 with tpm2-tools, its TPM is swtpm.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from provisioner.config.paths import shipped_data
from provisioner.errors import CommandError
from provisioner.operations import live
from provisioner.trust.sitekey import SiteKey
from tests.support.daemon import URL, HeadNode, Machine, eventually
from tests.support.swtpm import renewed, software_tpm

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("curl", "cpio", "dash", "openssl", "swtpm", "tpm2"),
]

PARTS = shipped_data() / "images/stage1/90provisioner"
SECRET = "the key of the vault"
# What needs a console, a kernel line or patience, and nothing else.
BOOT = """
. "$STAGE1/stage1.sh"
WORK=$SCRATCH
argument() { case $1 in token) echo "$TOKEN" ;; tpm) echo "$ASKED" ;; esac; }
say() { echo "$*" >> "$SCRATCH/said"; }
fail() { say "FAILED: $*"; report failed "reason=$*"; exit 1; }
back_off() { :; }
use_head "$HEAD"
start_tls
attest
echo "$TICKET" > "$SCRATCH/ticket"
fetch_sheet
fetch_overlay
forget_tpm
report image.verified
"""
KNOWN = "tpm: the head node knows this TPM and what it measured"
EXTEND = ["tpm2", "pcrextend"]


@dataclass
class Node:
    """A machine with a TPM of its own."""

    head: HeadNode
    machine: Machine
    folder: Path

    @property
    def name(self) -> str:
        return self.machine.node

    @property
    def state(self) -> Path:
        return self.folder / "tpm"

    def boots(self, *, measures: str = "", asked: str = "1", token: str = "", then: str = ":") -> list[str]:
        """Boot, with more in PCR 4 where something is measured, and `then` go on; what stage 1 said."""
        token = token or self.machine.start().stage1
        with software_tpm(self.head.namespace, self.state) as tcti:
            if measures:
                self.run(tcti, [*EXTEND, f"4:sha256={measures * 64}"])
            with suppress(CommandError):
                # What it said tells whether it came to its end.
                self.run(tcti, ["dash", "-c", f"{BOOT}{then}"], TOKEN=token, ASKED=asked)
        return (self.scratch / "said").read_text().splitlines()

    @property
    def scratch(self) -> Path:
        return self.folder / "run"

    @property
    def overlay(self) -> bytes:
        return (self.scratch / "system.cpio").read_bytes()

    def run(self, tcti: str, command: list[str], **told: str) -> None:
        self.scratch.mkdir(exist_ok=True)
        for name in ("said", "system.cpio"):
            (self.scratch / name).unlink(missing_ok=True)
        (self.scratch / ".curlrc").write_text(f"interface = {self.machine.address}\n")
        every = {
            "TPM2TOOLS_TCTI": tcti,
            "STAGE1": PARTS,
            "SCRATCH": self.scratch,
            "CURL_HOME": self.scratch,
            "HEAD": URL,
            "PATH": os.environ["PATH"],
            **told,
        }
        self.head.namespace.run(
            ["env", *(f"{key}={value}" for key, value in every.items()), *command], timeout=100
        )

    def shown(self) -> str:
        return self.head.prov("tpm", "show", self.name)


@pytest.fixture(scope="module", autouse=True)
def vault(head: HeadNode) -> Iterator[None]:
    """Groups whose nodes have a secret that is sealed."""
    site = (head.paths.site / "provisioner.yaml").read_text()
    head.write("provisioner.yaml", f"{site}secrets: {{vault: {{sealed: tpm}}}}\n")
    head.write("overlays/vault/overlay.yaml", "secrets: {etc/vault.key: vault}\n")
    head.write(
        "groups.d/vault.yaml",
        "groups:\n"
        "  open: {overlays: {system: [vault]}}\n"
        "  vault: {overlays: {system: [vault]}, tpm: {required: true}}\n"
        "  trusting: {groups: [vault], tpm: {first_use: true}}\n",
    )
    file = head.new_file()
    file.write_text(SECRET)
    head.prov("secret", "set", "vault", "--from-file", str(file))
    yield
    head.write_site()


def node_of(head: HeadNode, folder: Path, group: str = "vault") -> Node:
    machine = head.machine()
    head.write(f"nodes.d/{machine.node}.yaml", f"nodes: {{{machine.node}: {{groups: [{group}]}}}}\n")
    live.reload(head.paths)
    return Node(head, machine, folder)


def test_a_tpm_that_nobody_enrolled_is_refused_and_shown_then_enrolled_and_gets_the_secret(
    head: HeadNode, tmp_path: Path
) -> None:
    node = node_of(head, tmp_path)

    refused = node.boots()

    assert "is not enrolled for" in refused[-1]
    assert refused[-1].startswith("FAILED: the head node refuses the TPM: the TPM ")
    assert not (node.scratch / "system.cpio").exists()
    node.machine.reaches("failed")
    assert node.machine.saw("tpm.unknown").data["ek"]
    assert "not enrolled" in node.shown()

    assert "its first, shown in boot" in head.prov("tpm", "enrol", node.name, "--yes")
    said = node.boots()

    assert said[0] == KNOWN
    assert SECRET.encode() in node.overlay
    node.machine.saw("tpm.verified")
    assert "verified" in node.shown()
    assert not (node.scratch / "tpm").exists()


def test_the_secret_goes_over_the_wire_closed(head: HeadNode, tmp_path: Path) -> None:
    node = node_of(head, tmp_path, "trusting")
    token = node.machine.start().stage1
    node.boots(token=token)
    ticket = (node.scratch / "ticket").read_text().strip()

    answer = node.machine.get(f"/t/{token}/overlay/system?ticket={ticket}")

    assert "overlay_sealed=yes" in (node.scratch / "sheet").read_text().splitlines()
    assert SECRET.encode() in node.overlay
    assert answer.body.startswith(b"Salted__")
    assert len(answer.body) == len(node.overlay) + 16
    assert SECRET.encode() not in answer.body
    # Without the ticket not even who holds the token gets it, and with one of somebody else neither.
    for query in ("", f"?ticket={'0' * 64}.{'0' * 64}.{'0' * 64}", "?ticket=", "?ticket=%00"):
        answer = node.machine.get(f"/t/{token}/overlay/system{query}")
        assert (answer.status, SECRET.encode() in answer.body) == (403, False)


def test_the_first_tpm_is_enrolled_where_that_is_the_policy_and_another_one_is_refused(
    head: HeadNode, tmp_path: Path
) -> None:
    node = node_of(head, tmp_path, "trusting")

    assert KNOWN in node.boots()
    node.machine.saw("tpm.enrolled")
    assert KNOWN in node.boots()
    renewed(node.state)
    said = node.boots()

    assert f"{node.name} has the TPM " in said[-1]
    assert ", and this machine has " in said[-1]
    assert not (node.scratch / "system.cpio").exists()
    assert "another TPM" in node.shown()
    assert node.machine.saw("tpm.refused").level == "alarm"


def test_what_was_measured_otherwise_is_refused_named_shown_and_accepted(head: HeadNode, tmp_path: Path) -> None:
    node = node_of(head, tmp_path, "trusting")
    assert KNOWN in node.boots()

    said = node.boots(measures="a")

    assert said[-1].endswith(f"the TPM: PCR 4 (loaders) not as accepted for {node.name}")
    assert "PCR 4 (loaders) not as accepted" in node.shown()
    plan = head.prov_fails("tpm", "accept", node.name, "--plan")
    assert f"{node.name}: PCR 4 (loaders): 00000000 -> " in plan.output
    assert "not as accepted" in node.boots(measures="a")[-1]

    head.prov("tpm", "accept", node.name, "--yes")

    assert KNOWN in node.boots(measures="a")
    assert "PCR 4" in node.boots()[-1]


def test_a_boot_that_shows_no_tpm_gets_nothing_where_one_is_asked_for(head: HeadNode, tmp_path: Path) -> None:
    node = node_of(head, tmp_path)

    last = node.boots(asked="")[-1]

    words = f"the TPM of {node.name} has proven nothing in this boot"
    assert last == f"FAILED: the head node refuses sheet: refused: the secret vault is sealed, and {words}"
    eventually(lambda: words in str(head.status()["nodes"]))


def test_a_sealed_secret_keeps_a_node_from_booting_that_nobody_asks_for_its_tpm(
    head: HeadNode, tmp_path: Path
) -> None:
    node = node_of(head, tmp_path, "open")

    assert "the secret vault is sealed" in node.boots(asked="")[-1]
    assert head.prov("tpm", "show", node.name).splitlines()[1].split()[1:4] == ["not", "asked", "for"]


def test_a_ticket_opens_nothing_in_another_boot(head: HeadNode, tmp_path: Path) -> None:
    first, second = node_of(head, tmp_path / "a", "trusting"), node_of(head, tmp_path / "b", "trusting")
    for node in (first, second):
        node.folder.mkdir()
    first.boots()
    ticket = (first.scratch / "ticket").read_text().strip()

    answer = second.machine.get(f"/t/{second.machine.start().stage1}/overlay/system?ticket={ticket}")

    assert (answer.status, "none of this boot" in answer.text) == (403, True)


def test_a_machine_that_shows_no_tpm_is_never_the_running_node(head: HeadNode, tmp_path: Path) -> None:
    node = node_of(head, tmp_path)

    answer = node.machine.report(node.machine.start().stage1, "handover.done")

    words = f"the TPM of {node.name} has proven nothing in this boot"
    assert (answer.status, answer.text) == (403, f"refused: {words}\n")
    assert node.machine.saw("access.denied", words).level == "alarm"
    assert node.machine.boot.state == "stage1"


def test_the_shell_of_stage_1_hands_over_with_the_ticket(head: HeadNode, tmp_path: Path) -> None:
    node = node_of(head, tmp_path, "trusting")

    node.boots(then="hand_over")

    assert node.machine.boot.state == "system"
    assert (node.scratch / "token").read_text().count(".") == 1


def test_the_open_archive_of_a_node_whose_root_is_single_goes_out_for_no_ticket(
    head: HeadNode, tmp_path: Path
) -> None:
    node = node_of(head, tmp_path)
    token = node.machine.start().script
    # As another head node gives it, where stage 1 went: here the script is open still.
    names = "a" * 64, "b" * 64
    seal = SiteKey.load_or_create(head.paths.keys).derive("tpm ticket", node.machine.boot.id, *names)

    answer = node.machine.get(f"/t/{token}/node?ticket={'.'.join(names)}.{seal.hex()}")

    assert (answer.status, SECRET.encode() in answer.body) == (403, False)


@pytest.mark.parametrize("field", ["ek", "ak", "quote", "signature", "registers"])
@pytest.mark.parametrize("value", ["", "x", b64encode(bytes(40)).decode(), b64encode(b"\xff" * 900).decode()])
def test_what_is_no_answer_of_a_tpm_is_refused_in_words(head: HeadNode, field: str, value: str) -> None:
    told = dict.fromkeys(("ek", "ak", "quote", "signature", "registers"), "AAAA") | {field: value}
    node = head.machine()

    answer = node.get(
        f"/t/{node.start().stage1}/quote", "--data-binary", "".join(f"{a}={b}\n" for a, b in told.items())
    )

    assert answer.status == 403
    assert "the endorsement key" in answer.text or "is not Base64" in answer.text
