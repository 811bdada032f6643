"""The way of a boot without stage 1: an image that is its own initramfs, and what its node gets beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from provisioner.archive import cpio
from provisioner.archive.tree import Entry
from provisioner.image import store
from tests.support.daemon import HeadNode, Machine, head_node

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("curl", "ip")]

ARCHIVE = b"an image that is its own initramfs " * 900


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeadNode]:
    with head_node(tmp_path_factory.mktemp("head")) as head:
        made = store.find(head.paths, "demo")
        file = head.paths.images / "tmp" / "archive"
        file.write_bytes(ARCHIVE)
        store.publish(head.paths, made.model_copy(update={"archive": store.add_artifact(head.paths, file)}))
        group = (head.paths.site / "groups.d/compute.yaml").read_text()
        head.write("groups.d/compute.yaml", group.replace("image: demo", "image: demo\n    root: {kind: single}"))
        head.daemon.start()
        yield head
        head.daemon.stop()
        assert "Traceback" not in head.log()


def script_of(machine: Machine) -> str:
    return machine.get(f"/boot/{machine.mac.hyphenated}").text


def token_of(script: str) -> str:
    found = re.search(r"/t/(\S+)/archive", script)
    assert found, script
    return found[1]


def entries(archive: bytes) -> dict[str, Entry]:
    return {entry.path.removeprefix(".provisioner/"): entry for entry in cpio.unpack(archive)}


def test_the_script_names_both_archives_and_its_kernel_line_has_no_token(head: HeadNode) -> None:
    script = script_of(head.machine())
    line = next(each for each in script.splitlines() if each.startswith("kernel "))

    assert " initrd=archive initrd=node " in line
    assert " initramfs_options=size=80% prov.root=single" in line
    assert "root=provisioner" not in line
    assert "prov.token" not in line
    assert re.findall(r"^initrd --name (\w+)", script, re.MULTILINE) == ["archive", "node"]


def test_the_archive_of_a_node_has_its_overlays_and_the_token_of_its_running_system(head: HeadNode) -> None:
    machine = head.machine()
    script = token_of(script_of(machine))

    assert machine.get(f"/t/{script}/archive").body == ARCHIVE
    answer = machine.get(f"/t/{script}/node")
    own = entries(answer.body)

    assert answer.headers["cache-control"] == "no-store"
    assert own["files/etc/motd"].content.decode() == f"welcome to {machine.node}\n"
    told = dict(line.split("=", 1) for line in own["run/boot"].content.decode().splitlines())
    assert (told["node"], told["generation"]) == (machine.node, "demo@2")
    assert own["run/url"].content == b"http://10.66.0.1:8080\n"
    token = own["run/token"].content.decode().strip()
    assert machine.report(token, "system.report", state="running").status == 200
    machine.reaches("ready")


def test_the_first_word_of_the_system_closes_the_script(head: HeadNode) -> None:
    machine = head.machine()
    script = token_of(script_of(machine))
    token = entries(machine.get(f"/t/{script}/node").body)["run/token"].content.decode().strip()

    assert machine.get(f"/t/{token}/overlay/runtime").status == 200

    refused = machine.get(f"/t/{script}/node")
    assert (refused.status, refused.text) == (403, f"refused: stage script of boot {machine.boot.id} is closed\n")


def test_the_archive_of_a_node_is_for_nobody_else(head: HeadNode) -> None:
    machine, other = head.machine(), head.machine()
    script = token_of(script_of(machine))

    assert other.get(f"/t/{script}/node").status == 403
    assert machine.get(f"/t/{script}/overlay/system").status == 403


def test_an_image_without_an_archive_is_refused_with_what_makes_one(head: HeadNode) -> None:
    machine = head.machine()
    refused = head.prov_fails("node", "set", machine.node, "--yes", "--image", "demo@1")

    assert "demo@1 has no archive, which a root of kind single boots" in str(refused)
