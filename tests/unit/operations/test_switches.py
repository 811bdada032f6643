"""The verbs of a switch, on real files: what is written, what is refused, and what nodes boot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConflictError, NotFoundError, ProvisionerError
from provisioner.model.catalogue import Catalogue
from provisioner.model.switch import Pace, Switch, SwitchState, folded
from provisioner.operations import nodes, switches
from provisioner.operations.apply import documents
from provisioner.operations.change import Plan, commit, draft
from provisioner.operations.switchfinish import finish
from provisioner.operations.undo import to_undo, undo
from provisioner.operations.why import why
from provisioner.registry.view import SiteView
from tests.support.resolved import generation
from tests.support.site import SITE, write_site

GROUPS = """\
groups:
  compute: {image: centos-7}
  login: {image: centos-7}
"""
NODES = """\
nodes:
  n[1-3]: {groups: [compute]}
  l1: {groups: [login]}
"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return write_site(tmp_path, {"provisioner.yaml": SITE, "groups.d/g.yaml": GROUPS, "nodes.d/n.yaml": NODES})


def catalogue(centos: Sequence[int] = (1,)) -> Catalogue:
    """CentOS with some generations, the last one current, Rocky, and a base."""
    base = generation(image="bare").model_copy(update={"root": None, "lacks": ("a kernel",)})
    images = {
        "centos-7": {number: generation(number, image="centos-7") for number in centos},
        "rocky-9": {2: generation(2, image="rocky-9")},
        "bare": {1: base},
    }
    return Catalogue(images, {"centos-7": max(centos), "rocky-9": 2, "bare": 1})


def do(paths: Paths, plan: Plan, images: Catalogue | None = None) -> int:
    """Carry a plan out; the number of the change."""
    return commit(draft(paths, images or catalogue(), plan), command="test").number


def order(nodeset: str = "@compute", target: str = "rocky-9", **changes: object) -> switches.Order:
    return switches.Order(nodeset, target, Pace(canary=1, batch=10), **changes)  # type: ignore[arg-type]


def images(paths: Paths) -> dict[str, str | None]:
    found = SiteView.of(paths).published.nodes()
    return {name: node.image for name, node in found.items()}


def test_a_start_moves_the_canaries_to_the_generation_that_the_image_means_now(paths: Paths) -> None:
    do(paths, switches.start(order(), catalogue(), now=5.0))

    assert images(paths) == {"n1": "rocky-9@2", "n2": "centos-7", "n3": "centos-7", "l1": "centos-7"}
    switch = switches.find(SiteView.of(paths), "compute-to-rocky-9")
    assert switch.former == {"n1": "centos-7@1", "n2": "centos-7@1", "n3": "centos-7@1"}
    assert switch.since == 5


def test_why_names_the_switch_and_its_line(paths: Paths) -> None:
    do(paths, switches.start(order(), catalogue()))

    (chain,) = why(paths, catalogue(), "n1", "image")

    assert [(each.place, each.counts) for each in chain.statements] == [
        ("group compute", False),
        ("switch compute-to-rocky-9", True),
    ]
    assert chain.statements[-1].where.startswith("switches.d/compute-to-rocky-9.yaml:")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (order(target="fedora"), "there is no image fedora"),
        (order(target="bare"), "cannot boot: it lacks a kernel"),
        (order("n9"), "there is no node n9"),
        (order(target="centos-7"), "boots centos-7@1 already"),
        (order(name="a/b"), "cannot be the name of a switch"),
    ],
)
def test_what_cannot_be_switched_is_refused_with_the_reason(
    paths: Paths, asked: switches.Order, words: str
) -> None:
    with pytest.raises(ProvisionerError, match=words) as caught:
        do(paths, switches.start(asked, catalogue()))
    assert caught.value.hint or "already" in words


def test_no_node_is_switched_to_what_is_revoked(paths: Paths) -> None:
    known = replace(catalogue(), revoked={"rocky-9": frozenset({2})})

    with pytest.raises(ProvisionerError, match="rocky-9@2 is revoked") as caught:
        do(paths, switches.start(order(), known))
    assert caught.value.hint == "prov image release rocky-9@2"


def test_a_node_cannot_be_in_two_switches_at_once(paths: Paths) -> None:
    do(paths, switches.start(order("n[1-2]"), catalogue()))

    with pytest.raises(ConflictError, match="n2 is in the switch n-1-2-to-rocky-9, which is running"):
        do(paths, switches.start(order("n[2-3]"), catalogue()))


def test_nodes_that_have_the_image_already_stay_out(paths: Paths) -> None:
    do(paths, nodes.change("n2", ["image=rocky-9"]))

    do(paths, switches.start(order(), catalogue()))

    assert switches.find(SiteView.of(paths), "compute-to-rocky-9").names == ("n1", "n3")


def test_the_nodes_of_a_switch_keep_image_and_name_until_it_is_over(paths: Paths) -> None:
    do(paths, switches.start(order(), catalogue()))

    for plan in (nodes.change("n1", ["image=centos-7"]), nodes.delete("n2"), nodes.rename("n3", "m3")[0]):
        with pytest.raises(ConflictError, match="is in the switch compute-to-rocky-9"):
            do(paths, plan)
    do(paths, nodes.change("n1", ["tags.a=b"]))


def moved(paths: Paths, name: str = "compute-to-rocky-9") -> None:
    """As if every node had been seen to run the new image."""

    def all_done(switch: Switch) -> Switch:
        nodes = folded(switch.names)
        update = {"images": {switch.to: nodes}, "done": nodes, "state": SwitchState.MOVED}
        return switch.model_copy(update=update)

    do(paths, switches.record(name, all_done))


def test_finish_writes_the_image_to_the_group_as_it_was_asked_for(paths: Paths) -> None:
    do(paths, switches.start(order(), catalogue()))
    moved(paths)

    do(paths, finish("compute-to-rocky-9", catalogue()))

    assert "compute: {image: rocky-9}" in (paths.site / "groups.d/g.yaml").read_text()
    assert images(paths) == {"n1": "rocky-9", "n2": "rocky-9", "n3": "rocky-9", "l1": "centos-7"}
    assert switches.find(SiteView.of(paths), "compute-to-rocky-9").images == {}


def test_finish_keeps_the_generation_where_the_image_has_moved_on(paths: Paths) -> None:
    do(paths, switches.start(order("@compute", "centos-7@2"), catalogue((1, 2, 3)), now=1.0), catalogue((1, 2, 3)))
    moved(paths, "compute-to-centos-7")

    do(paths, finish("compute-to-centos-7", catalogue((1, 2, 3))), catalogue((1, 2, 3)))

    assert images(paths)["n1"] == "centos-7@2"


def test_finish_waits_for_every_node(paths: Paths) -> None:
    do(paths, switches.start(order(), catalogue()))

    with pytest.raises(
        ConflictError, match=r"n\[1-3\] of the switch compute-to-rocky-9 does not run rocky-9@2 yet"
    ):
        do(paths, finish("compute-to-rocky-9", catalogue()))


def test_a_part_of_a_group_is_finished_at_its_nodes_only(paths: Paths) -> None:
    do(paths, switches.start(order("n[1-2]", name="part"), catalogue()))
    moved(paths, "part")

    with pytest.raises(ConflictError, match=r"no group has just the nodes n\[1-2\]") as caught:
        do(paths, finish("part", catalogue()))
    assert "--nodes" in str(caught.value.hint)
    with pytest.raises(ConflictError, match="n3 is in compute too, and not in the switch"):
        do(paths, finish("part", catalogue(), group="compute"))
    do(paths, finish("part", catalogue(), nodes=True))

    assert images(paths) == {"n1": "rocky-9", "n2": "rocky-9", "n3": "centos-7", "l1": "centos-7"}


def test_a_node_with_an_image_of_its_own_keeps_the_group_from_being_finished(paths: Paths) -> None:
    do(paths, nodes.change("n2", ["image=centos-7@1"]))
    do(paths, switches.start(order(), catalogue()))
    moved(paths)

    with pytest.raises(ConflictError, match="n2 gets its image from a stronger place"):
        do(paths, finish("compute-to-rocky-9", catalogue()))


def test_undo_brings_back_what_is_written_and_holds_nobody(paths: Paths) -> None:
    before = images(paths)
    do(paths, switches.start(order(), catalogue()))
    moved(paths)

    do(paths, switches.undo("compute-to-rocky-9", catalogue()))

    assert images(paths) == before
    assert switches.find(SiteView.of(paths), "compute-to-rocky-9").state is SwitchState.UNDONE


def test_undo_holds_nodes_to_the_generation_that_they_had_where_the_image_has_moved_on(paths: Paths) -> None:
    do(paths, switches.start(order(), catalogue()))

    do(paths, switches.undo("compute-to-rocky-9", catalogue((1, 2))), catalogue((1, 2)))

    assert images(paths)["n1"] == "centos-7@1"
    assert images(paths)["n2"] == "centos-7"


def held(paths: Paths) -> Catalogue:
    """Two nodes that were undone after their image had moved on, and are held to the former generation."""
    moved_on = catalogue((1, 2))
    do(paths, switches.start(order("n[1,3]", name="first"), catalogue()))
    moved(paths, "first")
    do(paths, switches.undo("first", moved_on), moved_on)
    assert images(paths) == {"n1": "centos-7@1", "n2": "centos-7", "n3": "centos-7@1", "l1": "centos-7"}
    return moved_on


def test_nodes_that_a_switch_holds_are_freed_by_deleting_it(paths: Paths) -> None:
    known = held(paths)
    with pytest.raises(ConflictError, match=r"n3 is held to its former image by the switch first") as caught:
        do(paths, nodes.change("n3", ["image=rocky-9"]), known)
    assert caught.value.hint == "prov switch delete first"

    do(paths, switches.delete("first"), known)

    assert images(paths)["n3"] == "centos-7"


def test_another_switch_takes_over_the_nodes_that_one_holds(paths: Paths) -> None:
    known = held(paths)

    do(paths, switches.start(order("n[1-3]", name="again"), known), known)

    assert images(paths) == {"n1": "rocky-9@2", "n2": "centos-7", "n3": "centos-7@1", "l1": "centos-7"}
    assert switches.find(SiteView.of(paths), "first").images == {}
    do(paths, switches.undo("again", known), known)
    assert images(paths) == {"n1": "centos-7@1", "n2": "centos-7", "n3": "centos-7@1", "l1": "centos-7"}


@pytest.mark.parametrize("command", ["systemctl reboot", "ssh '{node}"])
def test_a_reboot_command_that_cannot_restart_a_node_is_refused(command: str) -> None:
    with pytest.raises(ProvisionerError, match=r"^reboot: ") as caught:
        switches.pace_of({"reboot": command})
    assert "ssh {node}" in str(caught.value.hint)


def test_a_switch_that_is_over_can_be_forgotten_when_it_holds_nobody(paths: Paths) -> None:
    do(paths, switches.start(order(), catalogue()))
    with pytest.raises(ConflictError, match="is running and decides what"):
        do(paths, switches.delete("compute-to-rocky-9"))
    do(paths, switches.undo("compute-to-rocky-9", catalogue()))

    do(paths, switches.delete("compute-to-rocky-9"))

    assert not (paths.switch_files / "compute-to-rocky-9.yaml").exists()
    with pytest.raises(NotFoundError, match="there is no switch compute-to-rocky-9"):
        switches.find(SiteView.of(paths), "compute-to-rocky-9")


def test_a_second_switch_of_the_same_nodes_gets_another_name(paths: Paths) -> None:
    do(paths, switches.start(order(), catalogue()))
    do(paths, switches.undo("compute-to-rocky-9", catalogue()))

    do(paths, switches.start(order(), catalogue()))

    names = {name for name, _ in switches.every(SiteView.of(paths))}
    assert names == {"compute-to-rocky-9", "compute-to-rocky-9-2"}


def test_a_pause_and_a_resume_are_written(paths: Paths) -> None:
    do(paths, switches.start(order(), catalogue()))

    do(paths, switches.pause("compute-to-rocky-9"))
    paused = switches.find(SiteView.of(paths), "compute-to-rocky-9").state
    do(paths, switches.resume("compute-to-rocky-9", now=9.0))

    assert paused is SwitchState.PAUSED
    assert switches.find(SiteView.of(paths), "compute-to-rocky-9").state is SwitchState.RUNNING
    assert images(paths)["n1"] == "rocky-9@2"


def test_a_node_that_was_deleted_by_hand_does_not_break_the_site(paths: Paths) -> None:
    do(paths, switches.start(order(), catalogue()))
    (paths.site / "nodes.d/n.yaml").write_text("nodes:\n  n2: {groups: [compute]}\n")

    view = SiteView.of(paths)

    assert view.published.problems() == ()
    assert view.published.names() == ("n2",)


def test_a_broken_switch_is_a_problem_of_the_site_with_its_line(paths: Paths) -> None:
    paths.switch_files.mkdir()
    (paths.switch_files / "bad.yaml").write_text("to: rocky-9\nnodes: n[1\n")

    (problem,) = SiteView.of(paths).published.problems()

    assert (problem.file, problem.line) == ("switches.d/bad.yaml", 2)


def test_the_start_of_a_switch_can_be_undone_from_the_history(paths: Paths) -> None:
    before = images(paths)
    number = do(paths, switches.start(order(), catalogue()))

    do(paths, undo(paths, to_undo(paths, number)))

    assert images(paths) == before


def test_a_switch_is_finished_without_a_node_that_is_gone(paths: Paths) -> None:
    do(paths, switches.start(order(name="s"), catalogue()))
    moved(paths, "s")
    (paths.site / "nodes.d/n.yaml").write_text(NODES.replace("n[1-3]", "n[1,3]"))

    do(paths, finish("s", catalogue()))

    assert images(paths) == {"n1": "rocky-9", "n3": "rocky-9", "l1": "centos-7"}


def test_what_is_written_down_of_a_switch_forgets_nodes_that_are_gone(paths: Paths) -> None:
    do(paths, switches.start(order(name="s"), catalogue()))
    (paths.site / "nodes.d/n.yaml").write_text(NODES.replace("n[1-3]", "n[2-3]"))

    do(paths, switches.record("s", lambda switch: switch.model_copy(update={"since": 9})))

    switch = switches.find(SiteView.of(paths), "s")
    assert switch.names == ("n2", "n3")
    assert switch.moved == ()
    assert set(switch.former) == {"n2", "n3"}


def test_nodes_are_not_gone_while_somebody_edits_their_file(paths: Paths) -> None:
    do(paths, switches.start(order(name="s"), catalogue()))
    (paths.site / "nodes.d/n.yaml").write_text("nodes: [")

    view = SiteView.of(paths)

    assert switches.present(view, switches.find(view, "s")).names == ("n1", "n2", "n3")


def test_a_switch_without_nodes_cannot_be_finished(paths: Paths) -> None:
    do(paths, switches.start(order(name="s"), catalogue()))
    (paths.site / "nodes.d/n.yaml").write_text("nodes: {l1: {groups: [login]}}\n")

    with pytest.raises(ConflictError, match="no node of the switch s is there any more"):
        do(paths, finish("s", catalogue()))


def test_the_hint_after_a_needless_resume_names_the_switch(paths: Paths) -> None:
    do(paths, switches.start(order(name="s"), catalogue()))
    moved(paths, "s")
    do(paths, switches.record("s", lambda switch: switch.model_copy(update={"state": SwitchState.MOVED})))

    with pytest.raises(ConflictError) as caught:
        do(paths, switches.resume("s"))
    assert caught.value.hint == "prov switch finish s"


@pytest.mark.parametrize("text", ["rename: {nodes: {n2: m2}}", "delete: {nodes: ['@compute!n1']}"])
def test_a_document_cannot_take_the_nodes_of_a_switch_away(paths: Paths, text: str) -> None:
    do(paths, switches.start(order(name="s"), catalogue()))

    with pytest.raises(ConflictError, match="in the switch s, which is running"):
        do(paths, documents([("a.yaml", text)]))
    do(paths, documents([("a.yaml", "rename: {nodes: {l1: l2}}")]))
