"""Images move, come and go while the daemon runs: the next boots follow, those under way keep what they have."""

from __future__ import annotations

import itertools

import pytest

from provisioner.image import store
from provisioner.image.folder import ImageFolder
from provisioner.model.image import Generation
from tests.support.daemon import HeadNode, add_generation
from tests.support.imagestore import let_age

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("curl")]

CONTENTS = (b"root %d " % number * 1000 for number in itertools.count())


def new_generation(head: HeadNode) -> Generation:
    """One more generation, which the daemon serves from now on."""
    made = add_generation(head.paths, root=next(CONTENTS))
    head.prov("image", "tag", made.name, f"t{made.number}")
    return made


def root_of(head: HeadNode, generation: Generation) -> bytes:
    return store.artifact_path(head.paths, generation.boot_set.root.digest).read_bytes()


def move(head: HeadNode, generation: Generation) -> None:
    head.prov("image", "rollback", "demo", "--to", str(generation.number), "--yes")


def test_a_rollback_reaches_the_next_boot_and_not_the_one_under_way(head: HeadNode) -> None:
    machine, other = head.machine(), head.machine()
    old, new = new_generation(head), new_generation(head)
    token = machine.start().stage1
    move(head, old)

    assert other.get(f"/t/{other.start().stage1}/root").body == root_of(head, old)
    assert machine.get(f"/t/{token}/root").body == root_of(head, new)
    assert (machine.boot.generation, other.boot.generation) == (new.name, old.name)


def test_a_boot_under_way_keeps_its_generation_from_being_removed(head: HeadNode) -> None:
    machine = head.machine()
    old, new = new_generation(head), new_generation(head)
    move(head, old)
    token = machine.start().stage1
    move(head, new)
    head.prov("image", "untag", f"demo@t{old.number}")
    let_age(head.paths)

    told = head.prov_fails("image", "delete", old.name, "--yes").output
    swept = head.prov("image", "gc", "--keep", "1", "--days", "0", "--yes")

    assert f"{old.name} is booted by {machine.node}" in told
    assert f"stays {old.name}: booted by {machine.node}" in swept
    assert machine.get(f"/t/{token}/root").body == root_of(head, old)


def test_a_generation_that_vanishes_refuses_its_boots_and_nobody_elses(head: HeadNode) -> None:
    machine, other = head.machine(), head.machine()
    kept, vanishing = new_generation(head), new_generation(head)
    token = machine.start().stage1
    assert machine.boot.generation == vanishing.name
    move(head, kept)

    ImageFolder.of(head.paths, "demo").forget(vanishing.number)
    head.prov("image", "untag", f"demo@t{vanishing.number}")

    gone = machine.get(f"/t/{token}/root")
    assert gone.status >= 400
    assert "is gone from the store" in gone.text
    assert other.get(f"/t/{other.start().stage1}/root").body == root_of(head, kept)


def test_nothing_is_removed_while_the_daemon_serves_something_older_than_what_is_written(head: HeadNode) -> None:
    spare = new_generation(head)
    new_generation(head)
    head.prov("image", "untag", f"demo@t{spare.number}")
    head.write("groups.d/broken.yaml", "groups: 7\n")

    told = head.prov_fails("image", "delete", spare.name, "--yes").output

    assert "the daemon does not serve what is written" in told
    assert store.catalogue(head.paths).find(spare.name)
