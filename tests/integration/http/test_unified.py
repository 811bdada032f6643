"""Kernel and stage 1 as one program that the site signed: how a machine gets it, and tells that it may not run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.image import store
from provisioner.image.unified import STUBS
from provisioner.model.image import Generation
from tests.support.daemon import HeadNode, Machine, head_node
from tests.support.imagestore import artifact

STUB = str(STUBS / "linuxx64.efi.stub")
pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("curl", "ip", "sbsign", "sbverify", STUB),
]

# A program that can be signed, in the place of a kernel.
KERNEL = Path("/usr/lib/ipxe/snponly.efi")
STRICT = "n060"


@pytest.fixture(scope="module")
def strict(head: HeadNode) -> Machine:
    """A node that boots demo@1, and no other way than by such a program; no other test takes so many machines."""
    return Machine(head, STRICT, 60)


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeadNode]:
    """A head node with a key for Secure Boot: demo@1 has no unified kernel image, demo@3 has."""
    with head_node(tmp_path_factory.mktemp("head")) as head:
        made, kernel = store.find(head.paths, "demo"), artifact(head.paths, KERNEL.read_bytes())
        store.publish(head.paths, made.model_copy(update={"kernel": kernel}))
        head.prov("secureboot", "init")
        head.prov("secureboot", "sign")
        group = (head.paths.site / "groups.d/compute.yaml").read_text()
        strict = "  strict: {image: demo@1, boot: {unified: always}}\n"
        head.write("groups.d/compute.yaml", group + strict)
        head.write("nodes.d/strict.yaml", f"nodes: {{{STRICT}: {{groups: [strict]}}}}\n")
        head.daemon.start()
        yield head
        head.daemon.stop()
        assert "Traceback" not in head.log()


def current(head: HeadNode) -> Generation:
    return store.find(head.paths, "demo")


def script_of(machine: Machine) -> str:
    return machine.get(f"/boot/{machine.mac.hyphenated}").text


def token_of(script: str) -> str:
    found = re.search(r"/t/(\S+)/uki", script)
    assert found, script
    return found[1]


def test_the_script_names_it_for_uefi_and_the_parts_for_bios_with_the_same_kernel_line(head: HeadNode) -> None:
    script = script_of(head.machine())
    whole, _, apart = script.partition("\n:apart\n")

    assert "iseq ${platform} efi || goto apart" in whole
    line = re.search(r"^imgargs kernel (.+)$", whole, re.MULTILINE)
    assert line
    assert f"/kernel initrd=stage1 {line[1]} ||" in apart


def test_a_machine_gets_it_whole_and_its_boot_tells_of_it(head: HeadNode) -> None:
    machine, uki = head.machine(), current(head).uki
    assert uki is not None
    answer = machine.get(f"/t/{token_of(script_of(machine))}/uki")

    assert answer.body == store.artifact_path(head.paths, uki.digest).read_bytes()
    assert machine.saw("uki.sent").bytes == uki.size


def test_firmware_that_does_not_start_it_ends_the_boot_and_is_told_everywhere(head: HeadNode) -> None:
    machine = head.machine()
    token = token_of(script_of(machine))
    machine.get(f"/t/{token}/uki")

    assert machine.get(f"/t/{token}/refused").status == 200

    machine.reaches("failed")
    reason = "the firmware does not start kernel and stage 1 of demo@3"
    assert machine.saw("uki.refused").message.startswith(reason)
    assert reason in head.prov("status")
    assert machine.get(f"/t/{token}/uki").status == 403


def test_nobody_else_can_tell_that_of_a_machine(head: HeadNode) -> None:
    machine, other = head.machine(), head.machine()
    token = token_of(script_of(machine))

    assert other.get(f"/t/{token}/refused").status == 403
    assert machine.get(f"/t/{token}/refused", "--head").status in (404, 405)
    assert machine.boot.state == "script"


def test_a_node_that_boots_no_other_way_is_refused_without_it(strict: Machine) -> None:
    script = script_of(strict)

    assert f"{STRICT} has boot.unified=always, but demo@1 has no unified kernel image" in script
    assert "prov secureboot sign" in script
    assert "/kernel" not in script


def test_a_rehearsal_fetches_it_too(head: HeadNode) -> None:
    told = head.prov("simulate", head.machine().node)

    uki = current(head).uki
    assert uki is not None
    assert re.search(rf"uki +{uki.size} bytes, digest right", told)


def test_with_other_keys_of_the_site_it_is_made_again_and_served(head: HeadNode) -> None:
    before = current(head).uki
    head.prov("keys", "rotate", "--signing", "--yes")

    after = current(head).uki
    machine = head.machine()
    answer = machine.get(f"/t/{token_of(script_of(machine))}/uki")

    assert after is not None
    assert after != before
    assert answer.body == store.artifact_path(head.paths, after.digest).read_bytes()
