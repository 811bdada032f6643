"""What would fail at boot is found at check time, for all nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from provisioner.archive.tree import Entry
from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, Problem
from provisioner.image.store import catalogue
from provisioner.model.catalogue import Catalogue
from provisioner.model.resolved import ResolvedNode
from provisioner.operations import strict, trial
from provisioner.operations.check import check, compile_site
from provisioner.operations.strict import Answer, SupersededError, check_strictly, kept_answer, render_problems
from provisioner.operations.trial import Trial
from provisioner.overlay.context import Context
from provisioner.overlay.library import Library, Piece
from provisioner.registry.collect import collect
from tests.support.daemon import add_generation
from tests.support.site import SITE, write_site

NODES = """\
nodes:
  n[001-004]: {overlays: {system: [motd], runtime: []}}
  n003: {tags: {colour: red}}
"""


def site(root: Path, template: str, **others: str) -> Paths:
    files = {"provisioner.yaml": SITE, "nodes.d/n.yaml": NODES, "overlays/motd/rootfs/etc/motd.j2": template}
    paths = write_site(root, {**files, **others})
    paths.snapshots.mkdir(parents=True)
    return paths


def problems(paths: Paths) -> tuple[Problem, ...]:
    try:
        check_strictly(paths, catalogue(paths))
    except ConfigError as error:
        return error.problems
    return ()


def rendered(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The nodes that a check renders."""
    names: list[str] = []

    original = Trial.render

    def render(self: Trial, node: ResolvedNode) -> None:
        names.append(node.name)
        original(self, node)

    with monkeypatch.context() as patch:
        patch.setattr(Trial, "render", render)
        check_strictly(paths, catalogue(paths))
    return names


def test_a_variable_that_nobody_sets_is_named_with_overlay_file_line_and_nodes(tmp_path: Path) -> None:
    (problem,) = problems(site(tmp_path, "hello\n{{ node.tags.colour }}\n"))

    assert (problem.file, problem.line) == ("overlays/motd/rootfs/etc/motd.j2", 2)
    assert "'colour'" in problem.message
    assert problem.message.endswith("(3 nodes: n[001-002,004])")


def test_a_value_that_its_language_refuses_is_found(tmp_path: Path) -> None:
    found = problems(site(tmp_path, "{{ node.name ~ '\\n' }}\n"))

    assert [each.message.rpartition(" (")[2] for each in found] == [f"node n00{number})" for number in range(1, 5)]
    assert all(each.hint for each in found)


def test_every_failing_template_of_a_node_is_told_at_once(tmp_path: Path) -> None:
    paths = site(tmp_path, "{{ nothing }}", **{"overlays/motd/rootfs/etc/issue.j2": "{{ nobody }}"})

    assert [each.file for each in problems(paths)] == [
        "overlays/motd/rootfs/etc/issue.j2",
        "overlays/motd/rootfs/etc/motd.j2",
    ]


def test_a_declared_path_that_nothing_makes_is_found(tmp_path: Path) -> None:
    paths = site(tmp_path, "x", **{"overlays/motd/overlay.yaml": "files: {etc/key: {mode: '0600'}}\n"})

    (problem,) = problems(paths)

    assert problem.file == "overlays/motd/overlay.yaml"
    assert "declares the file etc/key" in problem.message


def test_a_template_that_fails_slowly_is_not_tried_for_every_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "PATIENCE", 0.0)
    monkeypatch.setattr(trial, "QUICK", 0.0)
    tried: list[str] = []
    files = Library.files

    def watched(self: Library, piece: Piece, context: Context) -> tuple[Entry, ...]:
        if piece.template:
            tried.append(str(context))
        return files(self, piece, context)

    monkeypatch.setattr(Library, "files", watched)

    (problem,) = problems(site(tmp_path, "{{ node.nothing }}"))

    assert problem.message.endswith("(node n001; not tried for 3 more)")
    assert set(tried) == {"Context(n001)"}


def test_messages_that_differ_from_node_to_node_do_not_fill_the_screen(tmp_path: Path) -> None:
    paths = site(tmp_path, "{{ {}[node.name] }}")
    (paths.site / "nodes.d/n.yaml").write_text("nodes: {'n[01-40]': {overlays: {system: [motd], runtime: []}}}\n")

    assert len(problems(paths)) == 5


def test_an_unchanged_site_is_not_rendered_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = site(tmp_path, "{{ node.name }}\n")

    assert rendered(paths, monkeypatch) == ["n001", "n002", "n003", "n004"]
    assert rendered(paths, monkeypatch) == []


def test_after_an_edit_of_one_node_it_and_one_of_the_others_are_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = site(tmp_path, "{{ node.name }}\n")
    rendered(paths, monkeypatch)
    (paths.site / "nodes.d/z.yaml").write_text("nodes: {n002: {tags: {colour: blue}}}\n")

    assert rendered(paths, monkeypatch) == ["n001", "n002"]


def test_after_an_edit_of_an_overlay_all_nodes_are_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = site(tmp_path, "{{ node.name }}\n")
    rendered(paths, monkeypatch)
    (paths.site / "overlays/motd/rootfs/etc/motd.j2").write_text("hello {{ node.name }}\n")

    assert len(rendered(paths, monkeypatch)) == 4


def test_nodes_whose_files_name_other_nodes_are_all_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = site(tmp_path, "{{ node.name }} {% for each in nodes %}{{ each.name }}{% endfor %}\n")
    rendered(paths, monkeypatch)
    (paths.site / "nodes.d/z.yaml").write_text("nodes: {n002: {tags: {colour: blue}}}\n")

    assert len(rendered(paths, monkeypatch)) == 4


def test_an_edit_that_breaks_a_file_of_all_nodes_is_found_by_one_of_the_others(tmp_path: Path) -> None:
    template = "{% for each in nodes %}{{ 1 // (each.tags | length - 2) }}{% endfor %}"
    paths = site(tmp_path, template)
    assert problems(paths) == ()
    (paths.site / "nodes.d/z.yaml").write_text("nodes: {n003: {tags: {one: a}}}\n")

    assert [each.line for each in problems(paths)] == [1]


def test_what_was_wrong_is_kept_by_revision(tmp_path: Path) -> None:
    paths = site(tmp_path, "{{ nothing }}")
    found = problems(paths)
    revision = strict._places(paths)[0].stem.removeprefix("renders-")

    kept = kept_answer(paths, revision)
    assert kept is not None
    assert (kept.problems, kept.is_whole, len(kept.failed)) == (found, True, 4)
    assert kept_answer(paths, "0" * 64) is None


def test_a_damaged_answer_is_none(tmp_path: Path) -> None:
    paths = site(tmp_path, "{{ nothing }}")
    found = problems(paths)
    strict._places(paths)[0].write_text("{")

    assert problems(paths) == found


def test_a_site_without_a_state_folder_is_looked_at_all_the_same(tmp_path: Path) -> None:
    files: Mapping[str, str] = {
        "provisioner.yaml": SITE,
        "nodes.d/n.yaml": NODES,
        "overlays/motd/rootfs/etc/motd.j2": "{{ nothing }}",
    }

    with pytest.raises(ConfigError, match="nothing"):
        check_strictly(write_site(tmp_path, files), Catalogue())


def test_nodes_that_failed_are_tried_again_and_sound_ones_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = site(tmp_path, "{% if node.name == 'n002' %}{{ node.tags.colour }}{% endif %}{{ node.name }}\n")
    assert [each.message.rpartition(" (")[2] for each in problems(paths)] == ["node n002)"]
    (paths.site / "nodes.d/z.yaml").write_text("nodes: {n002: {tags: {colour: blue}}}\n")

    assert rendered(paths, monkeypatch) == ["n001", "n002"]


def test_a_revision_that_nothing_rendered_depends_on_has_an_answer_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = site(tmp_path, "{{ node.name }}\n")
    rendered(paths, monkeypatch)
    (paths.site / "nodes.d/n.yaml").write_text(f"# A comment.\n{NODES}")

    assert rendered(paths, monkeypatch) == []
    assert kept_answer(paths, check(paths, Catalogue()).revision) is not None


def test_one_node_of_each_kind_is_tried_first_and_what_it_shows_is_kept_at_once(tmp_path: Path) -> None:
    paths = site(tmp_path, "{{ nothing }}")
    checked, files = check(paths, Catalogue()), collect(paths)
    seen: list[Answer | None] = []

    def is_wanted() -> bool:
        seen.append(kept_answer(paths, checked.revision))
        return True

    render_problems(paths, files, checked.published, Catalogue(), is_wanted=is_wanted)

    first, second = (answer for answer in seen[:2])
    assert first is None
    assert second is not None
    assert (len(second.problems), second.is_whole) == (1, False)


def test_what_is_not_whole_is_no_answer_for_the_next_one_who_asks(tmp_path: Path) -> None:
    paths = site(tmp_path, "{{ nothing }}")
    found = problems(paths)
    revision = check(paths, Catalogue()).revision
    answer = kept_answer(paths, revision)
    assert answer is not None
    strict._keep(paths, revision, replace(answer, problems=(), is_whole=False))

    assert problems(paths) == found


def test_a_look_ends_between_two_nodes_when_nobody_wants_it_any_more(tmp_path: Path) -> None:
    paths = site(tmp_path, "{{ node.name }}\n")
    checked, files = check(paths, Catalogue()), collect(paths)

    with pytest.raises(SupersededError):
        render_problems(paths, files, checked.published, Catalogue(), is_wanted=lambda: False)

    assert kept_answer(paths, checked.revision) is None


def test_the_answer_of_what_is_served_stays_however_many_others_are_kept(tmp_path: Path) -> None:
    paths = site(tmp_path, "0")
    served = compile_site(paths, Catalogue()).revision
    for number in range(8):
        (paths.site / "overlays/motd/rootfs/etc/motd.j2").write_text(f"{{{{ node.name }}}} {number}\n")
        assert problems(paths) == ()
        if number == 0:
            served = compile_site(paths, Catalogue()).revision

    assert kept_answer(paths, served) is not None
    assert len(strict._places(paths)) == 5


def test_another_generation_of_their_image_has_nodes_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = site(tmp_path, "{{ node.name }}\n")
    (paths.site / "nodes.d/z.yaml").write_text("nodes: {'n[002-003]': {image: demo}}\n")
    add_generation(paths)
    rendered(paths, monkeypatch)
    add_generation(paths, root=b"another root")

    # n001 and n002 are the first ones of their kinds.
    assert rendered(paths, monkeypatch) == ["n001", "n002", "n003"]
