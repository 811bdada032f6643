"""Somebody between a node and its head node, and in the store: what he alters is refused, and said.

The node is the very shell of stage 1; the keys that it checks with come behind the stage 1 that it loads.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from provisioner.config.paths import shipped_data
from provisioner.errors import CommandError
from provisioner.host.run import run
from tests.support import meddler
from tests.support.daemon import ROOT, STAGE1, URL, HeadNode, Machine, eventually, head_node

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("curl", "cpio", "dash", "openssl")]

PARTS = shipped_data() / "images/stage1/90provisioner"
PORT = 8118
# What needs a console, memory for mounts, or patience, and nothing else.
BOOT = """
. "$STAGE1/stage1.sh"
WORK=$SCRATCH
argument() { [ "$1" != token ] || echo "$TOKEN"; }
say() { echo "$*" >> "$SCRATCH/said"; }
fail() { say "FAILED: $*"; report failed "reason=$*"; exit 1; }
mount() { :; }
back_off() { :; }
use_head "$HEAD"
start_tls
fetch_sheet
fetch_root
fetch_overlay
report image.verified
"""
SIGNED = "sheet: signed by this site for this boot"


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeadNode]:
    folder = tmp_path_factory.mktemp("head")
    with head_node(folder) as head:
        head.daemon.start()
        rules = folder / "rules"
        rules.write_text("{}")
        head.namespace.spawn([sys.executable, meddler.__file__, str(PORT), rules], cwd=folder)
        eventually(lambda: f":{PORT}" in head.namespace.run(["ss", "-ltn"]))
        yield head
        head.daemon.stop()
        assert "Traceback" not in head.log()


@dataclass
class Node:
    """What a machine has when its kernel starts: the kernel line, and what came with stage 1."""

    machine: Machine
    scratch: Path
    line: str = ""
    token: str = ""
    said: list[str] = field(default_factory=list)

    @property
    def last(self) -> str:
        return self.said[-1]


def loaded(machine: Machine, scratch: Path) -> Node:
    """What iPXE does: fetch the script and what it names."""
    script = machine.get(f"/boot/{machine.mac.hyphenated}").text
    kernel = re.search(r"^kernel --name kernel \S+/t/(\S+)/kernel (.*) \|\| goto failed$", script, re.MULTILINE)
    token = re.search(r"prov\.token=(\S+)", script)
    assert kernel, script
    assert token, script
    stage1 = machine.get(f"/t/{kernel[1]}/stage1").body
    assert stage1.startswith(STAGE1)
    scratch.mkdir(exist_ok=True)
    behind = stage1[len(STAGE1) :].lstrip(b"\0")
    run(["cpio", "--extract", "--make-directories", "--quiet"], stdin=behind, cwd=scratch)
    return Node(machine, scratch, line=kernel[2], token=token[1])


def boots(head: HeadNode, node: Node, *, rules: Mapping[str, object] | None = None) -> Node:
    """Run the shell of stage 1 through the man in the middle, who follows the rules."""
    rules_file(head).write_text(json.dumps(rules or {}))
    (node.scratch / ".curlrc").write_text(f"interface = {node.machine.address}\nproxy = {URL[:-5]}:{PORT}\n")
    (node.scratch / "cmdline").write_text(f"{node.line}\n")
    (node.scratch / "image").mkdir(exist_ok=True)
    told = {
        "STAGE1": PARTS,
        "SITE": node.scratch / "usr/lib/provisioner/site",
        "KERNEL_LINE": node.scratch / "cmdline",
        "SCRATCH": node.scratch,
        "CURL_HOME": node.scratch,
        "HEAD": URL,
        "TOKEN": node.token,
        "PATH": os.environ["PATH"],
    }
    words = [f"{name}={value}" for name, value in told.items()]
    with suppress(CommandError):
        # What it said tells whether it came to its end.
        head.namespace.run(["env", *words, "dash", "-c", BOOT], timeout=100)
    node.said = (node.scratch / "said").read_text().splitlines()
    return node


def rules_file(head: HeadNode) -> Path:
    return head.paths.site.parent / "rules"


def test_an_honest_boot_checks_all_and_goes_on(head: HeadNode, tmp_path: Path) -> None:
    node = boots(head, loaded(head.machine(), tmp_path / "node"))

    assert node.said == [SIGNED, "image: demo@1, 1 MiB", "image: complete and verified"]
    assert (node.scratch / "image/root").read_bytes() == ROOT
    assert [(node.scratch / name).stat().st_mode & 0o777 for name in ("answer", "sheet")] == [0o600, 0o600]
    eventually(lambda: node.machine.events("image.verified"))


UNSIGNED = "FAILED: the boot sheet is not signed by this site"


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"/sheet": ["root_sha256=", "root_sha256=0"]}, UNSIGNED),
        ({"/sheet": ["generation=demo@1", "generation=demo@2"]}, UNSIGNED),
        ({"/sheet": ["what=sheet", "root_sha256=0\nwhat=sheet"]}, UNSIGNED),
        ({"/sheet": ["signature=", "signature=AAAA"]}, UNSIGNED),
        ({"/sheet": ["\nsignature=", "\nroot_size=1\nsignature="]}, UNSIGNED),
        ({"/sheet": ["signature=", "unsigned="]}, UNSIGNED),
        ({"/root": ["\x00\x01\x02", "\x00\x01\x03"]}, "FAILED: the root image is damaged: its SHA-256 is "),
        (
            {"/overlay/system": ["welcome to", "greetings,"]},
            "FAILED: the system overlay is damaged: its SHA-256 is ",
        ),
    ],
)
def test_what_is_altered_on_the_way_is_refused_on_the_console_and_in_the_status(
    head: HeadNode, tmp_path: Path, rules: dict[str, object], words: str
) -> None:
    node = boots(head, loaded(head.machine(), tmp_path / "node"), rules=rules)

    assert node.last.startswith(words)
    node.machine.reaches("failed")
    shown = next(each for each in head.status()["nodes"] if each["node"] == node.machine.node)
    assert (shown["state"], f"FAILED: {shown['reason']}".startswith(words)) == ("failed", True)
    assert node.machine.saw("failed").message.startswith(words.removeprefix("FAILED: "))


@pytest.mark.parametrize(
    "alter",
    [
        lambda line: f"{line} init=/bin/sh",
        lambda line: f"prov.root=disk {line}",
        lambda line: line.replace("prov.root=overlay", "prov.root=tmpfs"),
        lambda line: line.replace("rd.shell=0 ", ""),
        lambda line: line.replace("rd.emergency=reboot", "rd.emergency=halt"),
        # As the kernel reads it, all between the quotes is the value of one word.
        lambda line: line.replace(" prov.root=", ' initrd="x prov.root=').replace(
            " prov.mac=", ' initrd=" prov.mac='
        ),
    ],
)
def test_another_kernel_line_is_refused(head: HeadNode, tmp_path: Path, alter: object) -> None:
    node = loaded(head.machine(), tmp_path / "node")
    assert callable(alter)
    node.line = alter(node.line)

    assert boots(head, node).last == "FAILED: the kernel line is not the one that the head node wrote"
    node.machine.reaches("failed")


@pytest.mark.parametrize("added", ["BOOT_IMAGE=(http,10.66.0.1:8080)/kernel", "kernel initrd=stage1"])
def test_what_loaders_put_on_the_kernel_line_is_no_harm(head: HeadNode, tmp_path: Path, added: str) -> None:
    node = loaded(head.machine(), tmp_path / "node")
    # GRUB, and iPXE for EFI.
    node.line = f"{added} {node.line}   initrd=stage1"

    assert SIGNED in boots(head, node).said


def test_a_sheet_of_another_time_is_refused(head: HeadNode, tmp_path: Path) -> None:
    machine = head.machine()
    node = boots(head, loaded(machine, tmp_path / "first"), rules={"/sheet": "replay"})
    assert SIGNED in node.said

    again = boots(head, loaded(machine, tmp_path / "second"), rules={"/sheet": "replay"})

    assert again.last == "FAILED: the boot sheet is an old one, and no answer to this boot"


def test_an_old_stage_1_does_not_pass_for_the_one_that_is_to_boot(head: HeadNode, tmp_path: Path) -> None:
    node = loaded(head.machine(), tmp_path / "node")
    (node.scratch / "usr/lib/provisioner/site/generation").write_text("demo@7\n")

    last = boots(head, node).last

    assert last == "FAILED: the machine loaded stage 1 of demo@7, and the head node boots demo@1"


def test_the_keys_of_another_site_open_nothing(head: HeadNode, tmp_path: Path) -> None:
    node = loaded(head.machine(), tmp_path / "node")
    site = node.scratch / "usr/lib/provisioner/site"
    for name in ("key-1.pem", "key-2.pem"):
        run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", tmp_path / "other"])
        run(["openssl", "pkey", "-in", tmp_path / "other", "-pubout", "-out", site / name])

    assert boots(head, node).last == UNSIGNED


def test_the_key_of_the_next_epoch_is_known_already(head: HeadNode, tmp_path: Path) -> None:
    node = loaded(head.machine(), tmp_path / "node")
    (node.scratch / "usr/lib/provisioner/site/key-1.pem").rename(node.scratch / "gone")
    site = node.scratch / "usr/lib/provisioner/site"
    (site / "key-1.pem").write_bytes((site / "key-2.pem").read_bytes())
    (site / "key-2.pem").write_bytes((node.scratch / "gone").read_bytes())

    assert SIGNED in boots(head, node).said


def test_no_word_of_the_kernel_line_tells_stage_1_where_its_keys_are(tmp_path: Path) -> None:
    told = re.findall(r"\$\{([A-Z][A-Z0-9_]*):?-", "".join(each.read_text() for each in PARTS.glob("*.sh")))
    stage1 = tmp_path / "stage1"
    stage1.write_text("stage1_main() { export -p; }")
    hook = (PARTS / "mount-root.sh").read_text().replace("/usr/lib/provisioner/stage1.sh", str(stage1))

    left = run(["dash", "-c", f"root=provisioner\n{hook}"], environment=os.environ | dict.fromkeys(told, "x"))

    assert "SITE" in told
    assert not set(told) & set(re.findall(r"^export (\w+)", left, re.MULTILINE))


def test_a_stage_1_without_keys_goes_on_and_says_so(head: HeadNode, tmp_path: Path) -> None:
    node = loaded(head.machine(), tmp_path / "node")
    (node.scratch / "usr/lib/provisioner/site/key-1.pem").unlink()

    said = boots(head, node).said

    assert said[0] == "sheet: not checked, this stage 1 came without keys of the site"
    assert said[-1] == "image: complete and verified"


@pytest.mark.parametrize("nonce", ["", "x", "0" * 31, "0" * 33, "A" * 32, "../" * 10])
def test_a_nonce_that_is_none_is_an_error_of_the_client(head: HeadNode, nonce: str) -> None:
    machine = head.machine()

    answer = machine.get(f"/t/{machine.start().stage1}/sheet?nonce={nonce}")

    assert (answer.status, "32 hexadecimal digits" in answer.text) == (400, True)


def record_of(head: HeadNode, number: int = 1) -> Path:
    return head.paths.images / f"images/demo/generations/{number}.json"


@pytest.fixture
def record(head: HeadNode) -> Iterator[Path]:
    """The record of demo@1, which a test alters; right again afterwards."""
    file = record_of(head)
    before = file.read_bytes()
    yield file
    file.write_bytes(before)
    head.write_site()
    head.prov("image", "verify")
    reload(head)


def reload(head: HeadNode) -> None:
    head.namespace.run(
        ["curl", "-sS", "-f", "-X", "POST", "--unix-socket", head.paths.control_socket, "http://x/v1/reload"]
    )


def test_an_altered_record_of_an_image_gets_no_script_and_is_an_alarm(head: HeadNode, record: Path) -> None:
    machine = head.machine()
    tokens = machine.start()
    record.write_text(record.read_text().replace("6.1.0-1", "6.1.0-0"))
    reload(head)

    script = machine.get(f"/boot/{machine.mac.hyphenated}").text
    sheet = machine.get(f"/t/{tokens.stage1}/sheet?nonce={'0' * 32}")

    assert "the record of demo@1 is not what this site signed" in script
    assert "/kernel" not in script
    assert (sheet.status, "is not what this site signed" in sheet.text) == (403, True)
    machine.saw("script.untrusted", "the record of demo@1 is not what this site signed")
    assert "is not what this site signed" in str(head.status()["alarms"])
    assert "the record of demo@1 is not what this site signed" in head.prov_fails("image", "verify").output


def test_an_image_without_signature_boots_unless_signatures_are_required(head: HeadNode, record: Path) -> None:
    kept = json.loads(record.read_text())
    record.write_text(json.dumps({**kept, "signature": ""}))
    reload(head)
    machine = head.machine()
    assert machine.start().stage1

    head.write("provisioner.yaml", f"{(head.paths.site / 'provisioner.yaml').read_text()}trust: required\n")
    reload(head)
    assert "demo@1 is not signed" in machine.get(f"/boot/{machine.mac.hyphenated}").text

    assert "signed demo@1" in head.prov("image", "sign")
    assert machine.start().stage1


def test_where_signatures_are_required_a_stage_1_has_to_ask_for_them(head: HeadNode, record: Path) -> None:
    assert record.exists()
    head.write("provisioner.yaml", f"{(head.paths.site / 'provisioner.yaml').read_text()}trust: required\n")
    reload(head)
    machine = head.machine()
    token = machine.start().stage1

    without, with_nonce = (machine.get(f"/t/{token}/sheet{query}") for query in ("", f"?nonce={'0' * 32}"))

    assert (without.status, "does not check signatures: build the image again" in without.text) == (403, True)
    assert with_nonce.status == 200


def test_a_revoked_image_is_refused_to_those_that_start_and_to_those_under_way(head: HeadNode) -> None:
    under_way, late = head.machine(), head.machine()
    token = under_way.start().stage1
    head.prov("image", "revoke", "demo@1", "--yes")

    script = late.get(f"/boot/{late.mac.hyphenated}").text
    sheet = under_way.get(f"/t/{token}/sheet?nonce={'0' * 32}")
    head.prov("image", "release", "demo@1", "--yes")

    assert f"the image demo@1 of {late.node} is revoked" in script
    assert (sheet.status, "demo@1 is revoked" in sheet.text) == (403, True)
    assert late.start().stage1


def test_a_rotation_of_the_key_reaches_the_daemon_and_the_images(head: HeadNode, tmp_path: Path) -> None:
    node = loaded(head.machine(), tmp_path / "node")
    head.prov("keys", "rotate", "--signing")

    assert SIGNED in boots(head, node).said
    assert SIGNED in boots(head, loaded(head.machine(), tmp_path / "next")).said


@pytest.mark.parametrize("wanted", [f"bytes={len(STAGE1) - 3}-", f"bytes={len(STAGE1) + 5}-", "bytes=0-9"])
def test_a_range_of_stage_1_goes_over_the_border_to_what_is_behind_it(head: HeadNode, wanted: str) -> None:
    machine = head.machine()
    path = f"/t/{machine.start().script}/stage1"
    whole = machine.get(path)

    part = machine.get(path, "--header", f"Range: {wanted}", "--header", f"If-Range: {whole.headers['etag']}")

    start, _, end = wanted.removeprefix("bytes=").partition("-")
    assert part.status == 206
    assert part.body == whole.body[int(start) : int(end) + 1 if end else None]


def test_what_the_tpm_holds_is_reported(head: HeadNode, tmp_path: Path) -> None:
    machine = head.machine()
    registers = tmp_path / "tpm/pcr-sha256"
    registers.mkdir(parents=True)
    for number in (0, 9, 10):
        (registers / str(number)).write_text(f"{number:064X}\n")
    script = 'STAGE1=$PARTS; . "$STAGE1/stage1.sh"; measurements'

    told = run(
        ["dash", "-c", script], environment={**os.environ, "PARTS": str(PARTS), "TPM": str(registers.parent)}
    )
    machine.report(machine.start().stage1, "stage1.started", **dict(each.split("=") for each in told.split()))

    assert told.splitlines() == [f"pcr0={0:064X}", f"pcr9={9:064X}"]
    machine.saw("stage1.started")
    shown = head.prov("boot", "show", machine.node)
    assert "measured: PCR 0 00000000, 9 00000000" in shown


def test_the_keys_come_behind_a_stage_1_by_tftp_too(head: HeadNode, tmp_path: Path) -> None:
    machine = head.machine()
    token = machine.start().script
    whole = machine.get(f"/t/{token}/stage1").body

    place = tmp_path / "stage1"
    words = ["curl", "-sS", "--interface", machine.address, "-o", str(place)]
    head.namespace.run([*words, f"tftp://{machine.address.rpartition('.')[0]}.1/t/{token}/stage1"])

    assert place.read_bytes() == whole
    assert whole != STAGE1
