"""Overlays compared with the images that nodes boot."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, NotFoundError
from provisioner.image.store import catalogue, publish
from provisioner.operations.overlaylint import Finding, lint
from provisioner.overlay.fits import Level
from tests.support.imagetree import stored, tree
from tests.support.resolved import generation
from tests.support.site import SITE, write_site

NODES = """\
nodes:
  n[001-003]:
    image: debian-12
    overlays: {system: [motd], runtime: []}
    interfaces: {eth0: {network: provision, ip: 10.0.1.1+}}
  n001: {interfaces: {eth0: {mac: "52:54:00:00:00:01"}}}
  idle: {overlays: {system: [hosts], runtime: []}}
"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = write_site(
        tmp_path / "site",
        {
            "provisioner.yaml": SITE,
            "nodes.d/n.yaml": NODES,
            "overlays/motd/rootfs/usr/bin/bash": "mine",
            "overlays/motd/overlay.yaml": "files: {usr/bin/bash: {uid: 77}}\n",
        },
    )
    stored(found, tree(tmp_path / "root"))
    return found


def found(paths: Paths, *names: str, image: str | None = None) -> list[Finding]:
    return list(lint(paths, catalogue(paths), names, image))


def test_findings_name_overlay_path_image_and_nodes_the_worst_first(paths: Paths) -> None:
    first, second, *_ = found(paths)

    assert first.record() == {
        "level": "problem",
        "overlay": "motd",
        "path": "usr/bin/bash",
        "message": "belongs to user 77, which the image does not have",
        "image": "debian-12@1",
        "nodes": "n[001-003]",
    }
    assert second.misfit.message == "replaces /usr/bin/bash of the package bash"


def test_only_the_overlays_that_are_asked_for_are_told(paths: Paths) -> None:
    assert {each.misfit.overlay for each in found(paths, "hosts")} == {""}


def test_another_image_can_be_compared_with(paths: Paths) -> None:
    assert {each.nodes for each in found(paths, "hosts", image="debian-12") if each.misfit.overlay} == set()
    assert {each.image for each in found(paths, image="debian-12")} == {"debian-12@1"}


def test_a_kernel_line_that_is_too_long_is_a_problem(paths: Paths) -> None:
    arguments = ", ".join(f"argument{number:04}=x" for number in range(150))
    (paths.site / "nodes.d/long.yaml").write_text(f"nodes: {{n001: {{kernel: {{args: [{arguments}]}}}}}}\n")

    assert any("the kernel line of n001 has" in each.misfit.message for each in found(paths))


def test_an_image_without_an_inventory_is_said_to_have_none(paths: Paths) -> None:
    publish(paths, generation(tree="sha256:" + "5" * 64))

    (finding,) = found(paths, "motd")

    assert "has no inventory" in finding.misfit.message


@pytest.mark.parametrize(("labels", "warns"), [("", True), ("targeted, enforcing", False)])
def test_an_image_that_asks_for_selinux_without_labels_is_warned_of(
    paths: Paths, tmp_path: Path, labels: str, warns: bool
) -> None:
    config = "SELINUX=enforcing\nSELINUXTYPE=targeted\n"
    made = stored(paths, tree(tmp_path / "policed", {"etc/selinux/config": config}))
    publish(paths, made.model_copy(update={"selinux": labels}))

    messages = [each.misfit.message for each in found(paths) if each.misfit.level is Level.WARNING]

    asks = "the image asks for SELinux (targeted, enforcing), and its root has no labels: build or import it again"
    assert (asks in messages) is warns


def test_a_policy_that_is_enforced_on_an_initramfs_is_warned_of(paths: Paths, tmp_path: Path) -> None:
    config = "SELINUX=enforcing\nSELINUXTYPE=targeted\n"
    made = stored(paths, tree(tmp_path / "policed", {"etc/selinux/config": config}))
    publish(paths, made.model_copy(update={"selinux": "targeted, enforcing"}))
    (paths.site / "nodes.d/z.yaml").write_text("nodes: {n002: {root: {kind: single}}}\n")

    nodes = [each.nodes for each in found(paths) if "nobody make files on a root" in each.misfit.message]

    assert nodes == ["n002"]


def test_mistakes_that_check_finds_come_first(paths: Paths) -> None:
    (paths.site / "overlays/motd/rootfs/x.j2").write_text("{{ nothing }}")

    with pytest.raises(ConfigError, match="nothing"):
        found(paths)


def test_an_overlay_or_image_that_does_not_exist_is_named(paths: Paths) -> None:
    with pytest.raises(NotFoundError, match="no overlay nothing"):
        found(paths, "nothing")
    with pytest.raises(NotFoundError, match="no image nothing"):
        found(paths, image="nothing")


CHOOSES = {
    "overlays/motd/overlay.yaml": "choose: {one: NetworkManager, two: systemd-networkd}\n",
    "overlays/one/rootfs/usr/bin/bash": "one",
    "overlays/two/rootfs/etc/shells": "two",
}


def chooses(paths: Paths) -> None:
    for name, text in CHOOSES.items():
        (paths.site / name).parent.mkdir(parents=True, exist_ok=True)
        (paths.site / name).write_text(text)
    (paths.site / "overlays/motd/rootfs/usr/bin/bash").unlink()


def replaced(findings: list[Finding]) -> set[str]:
    return {each.misfit.path for each in findings if each.misfit.overlay == "motd"}


def test_what_the_image_chooses_is_what_is_compared_with_it(paths: Paths, tmp_path: Path) -> None:
    chooses(paths)
    network_manager = {"usr/sbin/NetworkManager": "#!", "usr/lib/systemd/systemd-networkd": "#!"}
    root = tree(tmp_path / "other", network_manager)
    (root / "usr/lib/systemd/systemd-networkd").unlink()
    other = stored(paths, root)

    assert other.name == "debian-12@2"
    assert replaced(found(paths, image="debian-12@1")) == set()
    assert replaced(found(paths, image="debian-12@2")) == {"usr/bin/bash"}


def test_an_image_that_no_choice_suits_is_told_before_a_node_boots(paths: Paths, tmp_path: Path) -> None:
    chooses(paths)
    (paths.site / "overlays/motd/overlay.yaml").write_text("choose: {one: NetworkManager, two: wicked}\n")

    with pytest.raises(
        ConfigError, match=r"debian-12@1 has none of NetworkManager, wicked \(3 nodes: n\[001-003\]"
    ):
        found(paths)
