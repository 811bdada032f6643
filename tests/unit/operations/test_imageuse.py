"""Who uses which generation."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.boot.controlfolder import ControlFolder
from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, ConflictError
from provisioner.image import store
from provisioner.model.bootcontrol import Control, Fallback, Once
from provisioner.operations.check import check, compile_site
from provisioner.operations.imageuse import RECENT, demand_unused, image_use
from tests.support.bootable import bootable, write
from tests.support.imagestore import booted, generation
from tests.support.resolved import MAC2


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return bootable(tmp_path)


def words(paths: Paths, name: str) -> str:
    return image_use(paths, store.catalogue(paths)).of(name)


def test_nodes_use_what_the_name_of_their_image_means(paths: Paths) -> None:
    assert words(paths, "demo@1") == "assigned to n[1-3]"
    generation(paths, "demo")
    assert words(paths, "demo@1") == ""
    assert words(paths, "demo@2") == "assigned to n[1-3]"


def test_a_group_without_nodes_uses_what_it_names(paths: Paths) -> None:
    generation(paths, "spare")
    write(paths, "groups.d/s.yaml", "groups:\n  spare:\n    image: spare\n")

    assert words(paths, "spare@1") == "named by groups.d/s.yaml:3"


def test_what_a_node_booted_last_is_in_use_and_what_it_booted_before_is_not(paths: Paths) -> None:
    generation(paths, "toy")
    generation(paths, "toy")
    booted(paths, {"n1": "toy@1", "n2": "toy@1"}, age=100)
    booted(paths, {"n1": "toy@2"})

    assert words(paths, "toy@1") == "booted by n2"
    assert words(paths, "toy@2") == "booted by n1"


def test_every_machine_of_a_node_counts(paths: Paths) -> None:
    booted(paths, {"n1": "toy@1"}, age=100, mac=MAC2)
    booted(paths, {"n1": "toy@2"})

    assert words(paths, "toy@1") == "booted by n1"


def test_a_node_that_is_gone_counts_for_a_week(paths: Paths) -> None:
    booted(paths, {"gone": "toy@1"}, age=RECENT - 60)
    booted(paths, {"lost": "toy@2"}, age=RECENT + 60)

    assert words(paths, "toy@1") == "booted by gone"
    assert words(paths, "toy@2") == ""


def test_what_a_node_is_ordered_to_boot_once_or_falls_back_to_is_in_use(paths: Paths) -> None:
    once, fallback = Once("toy@1", 1.0, "root"), Fallback("demo@1", "toy@2", 1.0, 3)
    ControlFolder(paths.state).change("n1", lambda _: Control(once))
    ControlFolder(paths.state).change("n2", lambda _: Control(fallback=fallback))

    assert words(paths, "toy@1") == "named by the order for the next boot of n1"
    assert words(paths, "toy@2") == "named by the fall-back of n2"


def test_the_image_that_looks_at_unknown_machines_is_in_use_and_has_to_be_there(paths: Paths) -> None:
    site = paths.site / "provisioner.yaml"
    site.write_text(site.read_text() + "\ndiscovery:\n  image: spare\n")
    with pytest.raises(ConfigError, match="unknown image 'spare'"):
        check(paths, store.catalogue(paths))

    generation(paths, "spare")
    assert words(paths, "spare@1").startswith("named by provisioner.yaml:")
    assert check(paths, store.catalogue(paths)).revision


def test_what_is_served_counts_while_what_is_written_says_otherwise(paths: Paths) -> None:
    compile_site(paths, store.catalogue(paths))
    write(paths, "groups.d/g.yaml", "groups:\n  base:\n  compute:\n")

    assert words(paths, "demo@1") == "assigned to n[1-3]"


def test_every_node_that_ever_booted_counts_while_the_site_cannot_be_read(paths: Paths) -> None:
    booted(paths, {"n1": "toy@1"}, age=10 * RECENT)
    write(paths, "provisioner.yaml", "networks: 7\n")

    assert words(paths, "toy@1") == "booted by n1"


@pytest.mark.parametrize(("state", "told"), [("paused", "named by switch rack1"), ("finished", "")])
def test_what_undoing_a_switch_would_bring_back_is_in_use_until_it_is_over(
    paths: Paths, state: str, told: str
) -> None:
    for name in ("old", "new"):
        generation(paths, name)
    text = f"to: new@1\nnodes: n[1-2]\nstate: {state}\nfrom: {{old@1: 'n[1-2]'}}\n"
    write(paths, "switches.d/rack1.yaml", text)

    assert words(paths, "old@1") == told


def test_a_switch_that_cannot_be_read_keeps_everybody_from_removing(paths: Paths) -> None:
    write(paths, "switches.d/rack1.yaml", "to: 7\n")

    with pytest.raises(ConfigError):
        words(paths, "demo@1")


def test_a_site_without_files_uses_nothing(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path / "empty")
    generation(paths)

    assert words(paths, "toy@1") == ""


def test_whoever_wants_to_remove_hears_of_all_users(paths: Paths) -> None:
    generation(paths, "toy")
    booted(paths, {"n2": "toy@1"})
    known = store.catalogue(paths)
    every = [each for found in known.generations.values() for each in found.values()]

    with pytest.raises(ConflictError, match=r"demo@1 is assigned to n\[1-3\]\ntoy@1 is booted by n2"):
        demand_unused(paths, known, every)
