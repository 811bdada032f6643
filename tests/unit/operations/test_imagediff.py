"""What is told before nodes go from one image to another, from trees in a real store and reports of nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError
from provisioner.events.hardware import HardwareFolder
from provisioner.events.store import EventStore
from provisioner.image import store
from provisioner.model.boot import BootRecord, TokenStage
from provisioner.model.switch import Pace
from provisioner.operations.imagediff import ImageDifference, image_difference, switch_report
from provisioner.operations.switches import Order, new_switch
from provisioner.registry.view import SiteView
from tests.support import resolved
from tests.support.bootable import write
from tests.support.site import SITE, write_site
from tests.support.surveyed import surveyed

OLD_KERNEL, NEW_KERNEL = "3.10.0-1.el7.x86_64", "5.14.0-9.el9.x86_64"
OLD = {
    "etc/os-release": 'ID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="7"\nPRETTY_NAME="CentOS 7"\n',
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\napp:x:77:77::/:/bin/sh\n",
    f"usr/lib/modules/{OLD_KERNEL}/kernel/drivers/net/ethernet/intel/e1000/e1000.ko.xz": "",
    f"usr/lib/modules/{OLD_KERNEL}/kernel/drivers/net/ethernet/intel/igb/igb.ko.xz": "",
    f"usr/lib/modules/{OLD_KERNEL}/kernel/drivers/scsi/mpt3sas/mpt3sas.ko.xz": "",
    f"usr/lib/modules/{OLD_KERNEL}/kernel/drivers/block/virtio_blk.ko.xz": "",
    f"usr/lib/modules/{OLD_KERNEL}/kernel/fs/ext4/ext4.ko.xz": "",
}
NEW = {
    "etc/os-release": 'ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.6"\nPRETTY_NAME="Rocky 9"\n',
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\n",
    f"usr/lib/modules/{NEW_KERNEL}/kernel/drivers/net/ethernet/intel/igb/igb.ko.xz": "",
    f"usr/lib/modules/{NEW_KERNEL}/modules.builtin": "kernel/drivers/block/virtio_blk.ko\n",
}
NODES = """\
nodes:
  n[1-4]: {image: centos-7, overlays: {system: [motd], runtime: []}, kernel: {args: [quiet]}}
  n4: {kernel: {args: [elevator=noop, crashkernel=auto]}}
"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    motd = {
        "overlays/motd/rootfs/etc/app.conf": "a",
        "overlays/motd/overlay.yaml": "files: {etc/app.conf: {uid: 77}}\n",
    }
    found = write_site(tmp_path / "site", {"provisioner.yaml": SITE, "nodes.d/n.yaml": NODES, **motd})
    surveyed(found, "centos-7", OLD, kernel=OLD_KERNEL)
    surveyed(found, "rocky-9", NEW, kernel=NEW_KERNEL)
    return found


def reported(paths: Paths, node: str, **facts: str) -> None:
    events = EventStore(paths.events)
    events.save_report(node, "boot", 1.0, {"drivers": "", "cpu_level": "4", "memory_total": "99000000", **facts})
    events.close()


def took(paths: Paths, node: str, seconds: float, state: str = "ready") -> None:
    """Let the last boot of a node have taken so long."""
    events = EventStore(paths.events)
    record = BootRecord(
        node,
        node,
        resolved.MAC1,
        "centos-7@1",
        resolved.REVISION,
        100.0,
        TokenStage.SYSTEM,
        state,
        100.0 + seconds,
    )
    events.save_boot(record)
    events.close()


def report(paths: Paths, nodeset: str = "n[1-4]", pace: Pace | None = None) -> ImageDifference:
    view = SiteView.of(paths)
    order = Order(nodeset, "rocky-9", pace or Pace(canary=1, batch=2))
    _, switch = new_switch(view, order, store.catalogue(paths))
    (found,) = switch_report(paths, switch, view.published.nodes(switch.names))
    return found


def told(found: ImageDifference, section: str) -> list[tuple[str, str, str]]:
    return [(each.weight.value, each.subject, each.message) for each in found.findings if each.section == section]


def test_two_images_are_compared_without_any_node(paths: Paths) -> None:
    found = image_difference(paths, "centos-7", "rocky-9@1")

    assert (found.old, found.new, found.window) == ("centos-7@1", "rocky-9@1", "")
    assert ("note", "system", "CentOS 7 -> Rocky 9") in told(found, "system")
    assert told(found, "drivers") == [
        ("warning", name, f"kernel {NEW_KERNEL} does not have it") for name in ("e1000", "mpt3sas")
    ]


def test_an_image_does_not_differ_from_itself(paths: Paths) -> None:
    assert image_difference(paths, "rocky-9", "rocky-9@1").findings == ()


def test_a_driver_that_a_node_uses_and_that_goes_is_a_problem_and_others_are_notes(paths: Paths) -> None:
    reported(paths, "n2", drivers="mpt3sas virtio-blk igb ")
    reported(paths, "n3", drivers="mpt3sas ")

    problem, note = told(report(paths), "drivers")

    assert problem == ("problem", "mpt3sas", f"n[2-3] use it, and kernel {NEW_KERNEL} does not have it")
    assert note[:2] == ("note", "e1000")
    assert note[2].endswith("no node was seen to use it")


def test_drivers_are_warnings_as_long_as_no_node_has_told_its_hardware(paths: Paths) -> None:
    found = told(report(paths), "drivers")

    assert [each[:2] for each in found] == [("warning", "e1000"), ("warning", "mpt3sas"), ("note", "hardware")]


def test_reports_of_nodes_outside_of_the_switch_do_not_count(paths: Paths) -> None:
    reported(paths, "n3", drivers="mpt3sas ", cpu_level="1", memory_total="1000")

    found = report(paths, "n[1-2]")

    assert {
        each.weight.value for each in found.findings if each.section in {"drivers", "processor", "memory"}
    } == {
        "warning",
        "note",
    }


def test_a_processor_that_is_too_old_is_a_problem_with_the_names_of_nodes(paths: Paths) -> None:
    reported(paths, "n1", cpu_level="1")
    reported(paths, "n2", cpu_level="2")

    ((weight, subject, message),) = told(report(paths), "processor")

    assert (weight, subject) == ("problem", "x86-64-v2")
    assert message == "n1 cannot run programs for x86-64-v2"


def test_a_node_that_does_not_tell_its_processor_is_not_called_too_old(paths: Paths) -> None:
    reported(paths, "n1", cpu_level="")

    assert [each[0] for each in told(report(paths), "processor")] == ["note"]


def test_a_node_with_too_little_memory_is_a_problem(paths: Paths) -> None:
    reported(paths, "n1", memory_total="400000")
    reported(paths, "n2", memory_total="2000000")

    ((weight, _, message),) = told(report(paths), "memory")

    assert weight == "problem"
    assert message == "less than the 512 MiB that this image takes: n1"


def test_arguments_of_the_kernel_that_mean_something_else_are_told_with_their_nodes(paths: Paths) -> None:
    found = told(report(paths), "kernel line")

    assert [(weight, subject) for weight, subject, _ in found] == [
        ("warning", "crashkernel=auto"),
        ("warning", "elevator=noop"),
    ]
    assert all(message.endswith("(n4)") for _, _, message in found)
    assert told(report(paths, "n[1-3]"), "kernel line") == []


def test_overlays_that_suit_the_old_image_only_are_told(paths: Paths) -> None:
    assert told(report(paths), "overlays") == [
        ("problem", "motd: etc/app.conf", "belongs to user 77, which the image does not have")
    ]


def test_an_overlay_that_never_suited_is_not_told(paths: Paths) -> None:
    (paths.site / "overlays/motd/overlay.yaml").write_text("files: {etc/app.conf: {uid: 78}}\n")

    assert told(report(paths), "overlays") == []


def test_an_overlay_that_cannot_be_rendered_over_the_new_image_is_a_problem(paths: Paths) -> None:
    template = paths.site / "overlays/motd/rootfs/etc/who.j2"
    template.write_text("{% if image.os.ID == 'rocky' %}{{ node.nothing }}{% endif %}\n")

    ((weight, _, message), *_) = told(report(paths), "overlays")

    assert weight == "problem"
    assert "who.j2" in message


def test_the_time_follows_from_the_last_boots_of_these_nodes(paths: Paths) -> None:
    assert (
        report(paths).window == "3 rounds; how long one takes is not known: none of these nodes was seen to boot"
    )
    for node, seconds in (("n1", 60), ("n2", 80), ("n3", 300)):
        took(paths, node, seconds)
    took(paths, "n4", 5000, state="failed")

    assert report(paths).window == "3 rounds of about 80 s, so 4 min"
    assert report(paths, pace=Pace(canary=4)).window == "1 round of about 80 s, so 1 min"


def test_the_worst_of_every_section_comes_first(paths: Paths) -> None:
    reported(paths, "n1", drivers="mpt3sas ", cpu_level="1")
    order = ["problem", "warning", "note"]

    found = report(paths)

    for section in {each.section for each in found.findings}:
        weights = [order.index(weight) for weight, _, _ in told(found, section)]
        assert weights == sorted(weights)


def test_an_image_without_an_inventory_cannot_be_compared_and_the_hint_helps(paths: Paths) -> None:
    store.publish(paths, resolved.generation(image="bare"))

    with pytest.raises(NotFoundError, match="bare@1 has no inventory") as caught:
        image_difference(paths, "bare", "rocky-9")
    assert "build or import the image again" in str(caught.value.hint)


def test_a_report_is_plain_data_for_programs(paths: Paths) -> None:
    record = report(paths).record()

    assert (record["from"], record["to"]) == ("centos-7@1", "rocky-9@1")
    assert set(record["findings"][0]) == {"section", "weight", "subject", "message", "remedy"}


def test_a_card_that_the_new_kernel_has_no_driver_for_is_a_problem_though_the_driver_is_still_there(
    paths: Paths,
) -> None:
    aliases = "alias pci:v00001000d00000072sv*sd*bc*sc*i* igb\nalias pci:v00008086d00001521sv*sd*bc*sc*i* igb\n"
    gone = f"usr/lib/modules/{NEW_KERNEL}/modules.alias"
    surveyed(paths, "centos-7", {**OLD, f"usr/lib/modules/{OLD_KERNEL}/modules.alias": aliases}, kernel=OLD_KERNEL)
    built_in = {f"usr/lib/modules/{NEW_KERNEL}/modules.builtin.modinfo": "ext4.license=GPL\0"}
    surveyed(paths, "rocky-9", {**NEW, **built_in, gone: aliases.splitlines()[1]}, kernel=NEW_KERNEL)
    write(paths, "nodes.d/macs.yaml", f'nodes:\n  n2: {{interfaces: {{eth0: {{mac: "{resolved.MAC1}"}}}}}}\n')
    HardwareFolder(paths.hardware).write(
        resolved.MAC1, {"pci": "1000:0072:010700 8086:1521:020000 1000:0072:ff0000 8086:2918:060100 odd"}
    )

    problems = [each for each in told(report(paths), "drivers") if each[1].startswith("1000")]

    message = f"n2 have such a card, and kernel {NEW_KERNEL} has no driver for it"
    assert problems == [("problem", "1000:0072 (igb)", message)]
