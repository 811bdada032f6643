"""A root that does not fit into its machine is refused before it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError
from provisioner.events.store import EventStore
from provisioner.image.store import catalogue
from provisioner.model.boot import BootRecord, TokenStage
from provisioner.model.catalogue import Catalogue
from provisioner.model.image import Artifact
from provisioner.operations import nodes
from provisioner.operations.change import Draft, draft
from provisioner.operations.simulate import simulate
from tests.support.bootable import bootable

KIB_OF_A_GIB = 1 << 20


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return bootable(tmp_path / "site")


def images(paths: Paths) -> Catalogue:
    """The image of the site, with 900 MiB of files."""
    made = catalogue(paths).generations["demo"][1]
    root = Artifact(digest="sha256:" + "3" * 64, size=200 << 20)
    large = made.model_copy(update={"tree_size": 900 << 20, "entries": 0, "root": root})
    return Catalogue({"demo": {1: large}}, {"demo": 1})


def told(paths: Paths, **kib: int) -> None:
    """Machines that booted and told how much memory they have, in KiB."""
    store = EventStore(paths.events)
    for number, (node, memory) in enumerate(kib.items(), 1):
        mac = f"02:00:00:00:00:0{number}"
        boot = BootRecord(node, node, mac, "demo@1", "ab" * 32, 1.0, TokenStage.SYSTEM, "ready", 1.0)
        store.save_boot(boot)
        store.save_report(node, node, 1.0, {"memory_total": str(memory)})
    store.close()


def set_root(paths: Paths, names: str, *texts: str) -> Draft:
    return draft(paths, images(paths), nodes.change(names, texts))


def test_a_kind_that_does_not_fit_is_refused_with_the_nodes_and_the_kind_that_does(paths: Paths) -> None:
    told(paths, n1=KIB_OF_A_GIB, n2=KIB_OF_A_GIB)

    with pytest.raises(ConfigError) as refused:
        set_root(paths, "n[1-2]", "root.kind=tmpfs")

    (problem,) = refused.value.problems
    assert problem.message.startswith("n[1-2] has 1024 MiB of memory, tmpfs of demo@1 needs 1228 MiB")
    assert problem.hint == "prov node set n[1-2] root.kind=overlay"
    assert problem.file == "nodes.d/n.yaml"


def test_a_machine_that_told_nothing_may_have_enough(paths: Paths) -> None:
    assert set_root(paths, "n1", "root.kind=tmpfs").files


def test_what_did_not_fit_before_hinders_no_other_change(paths: Paths) -> None:
    made = set_root(paths, "n1", "root.kind=tmpfs")
    for file, text in made.files.items():
        (paths.site / file).write_text(text or "")
    told(paths, n1=KIB_OF_A_GIB)

    assert set_root(paths, "n1", "root.size=2GiB").files


def test_a_rehearsed_boot_shows_it_too(paths: Paths) -> None:
    made = set_root(paths, "n1", "root.kind=tmpfs")
    for file, text in made.files.items():
        (paths.site / file).write_text(text or "")
    told(paths, n1=KIB_OF_A_GIB)

    (outcome,) = simulate(paths, images(paths), "n1").outcomes

    assert "n1 has 1024 MiB of memory, tmpfs of demo@1 needs" in outcome.problems[0].problem
