"""What a reader without the lock sees while a commit is under way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, combinations
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import IntegrityError, UnavailableError
from provisioner.host.journal import Journal, Step, digest, encode
from provisioner.host.transaction import FileChange, commit
from provisioner.registry.collect import SourceFile, collect, site_files
from provisioner.registry.pending import Making, is_configuration, place_of, settled, with_other_names
from tests.support.site import SITE, write_site

OLD = {"provisioner.yaml": SITE, "nodes.d/a.yaml": "nodes: {n1: {}}\n", "nodes.d/b.yaml": "nodes: {n2: {}}\n"}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = write_site(tmp_path, OLD)
    paths.state.mkdir()
    return paths


def seen(paths: Paths) -> dict[str, str]:
    return {name: content.decode() for name, content in site_files(collect(paths)).items()}


def unneeded(*_: object) -> SourceFile:
    raise AssertionError("nothing waits to be put in place")


UNNEEDED = Making(unneeded, unneeded)


def step(path: str, before: str | None, content: str | None, target: str | None = None) -> Step:
    old = digest(None if before is None else before.encode())
    return Step(path, target or path, old, None if content is None else content.encode())


def decide(paths: Paths, *steps: Step) -> None:
    (paths.state / "journal").write_bytes(encode(Journal(steps, (), {})))


def test_without_a_journal_files_are_what_they_are(paths: Paths) -> None:
    assert seen(paths) == OLD


def test_what_is_decided_is_seen_before_it_is_in_place(paths: Paths) -> None:
    decide(
        paths,
        step("nodes.d/a.yaml", OLD["nodes.d/a.yaml"], "nodes: {}\n"),
        step("nodes.d/b.yaml", OLD["nodes.d/b.yaml"], None),
        step("groups.d/g.yaml", None, "groups: {g: {}}\n"),
    )

    assert seen(paths) == {
        "provisioner.yaml": SITE,
        "groups.d/g.yaml": "groups: {g: {}}\n",
        "nodes.d/a.yaml": "nodes: {}\n",
    }
    assert list(collect(paths)) == sorted(collect(paths))


def test_what_somebody_wrote_since_is_seen_as_it_lies_there(paths: Paths) -> None:
    decide(paths, step("nodes.d/a.yaml", "other", "new"), step("nodes.d/b.yaml", "other", None))
    (paths.node_files / "new.yaml").write_text("nodes: {by: hand}\n")
    decide(paths, step("nodes.d/a.yaml", "other", "new"), step("nodes.d/new.yaml", None, "new"))

    assert seen(paths) == {**OLD, "nodes.d/new.yaml": "nodes: {by: hand}\n"}


def test_every_name_of_a_linked_file_shows_the_new_content(paths: Paths) -> None:
    for name in ("l", "m"):
        (paths.node_files / f"{name}.yaml").symlink_to("a.yaml")
    decide(paths, step("nodes.d/l.yaml", OLD["nodes.d/a.yaml"], "nodes: {}\n", "nodes.d/a.yaml"))

    found = seen(paths)

    assert [found[f"nodes.d/{name}.yaml"] for name in ("a", "l", "m")] == ["nodes: {}\n"] * 3


def test_a_reader_that_a_commit_overtakes_reads_again(paths: Paths) -> None:
    reads = 0

    def read() -> Mapping[str, SourceFile]:
        nonlocal reads
        reads += 1
        found = collect(paths)
        if reads < 3:
            change(paths, f"# {reads}\n")
        return found

    found = settled(paths, read, UNNEEDED)

    assert reads == 3
    assert found["site/nodes.d/a.yaml"].content == b"# 2\n"


def test_a_reader_that_is_always_overtaken_gives_up(paths: Paths) -> None:
    count = 0

    def read() -> Mapping[str, SourceFile]:
        nonlocal count
        count += 1
        change(paths, f"# {count}\n")
        return {}

    with pytest.raises(UnavailableError, match="keep changing"):
        settled(paths, read, UNNEEDED)


def change(paths: Paths, text: str) -> None:
    before = digest((paths.node_files / "a.yaml").read_bytes())
    commit(place_of(paths), {"nodes.d/a.yaml": FileChange(before, text.encode())}, {}, lambda _journal: None)


def test_a_damaged_journal_is_not_read_past(paths: Paths) -> None:
    (paths.state / "journal").write_text("{")

    with pytest.raises(IntegrityError, match="journal"):
        collect(paths)


def test_a_site_without_a_state_folder_is_read(tmp_path: Path) -> None:
    assert seen(write_site(tmp_path, OLD)) == OLD


@pytest.mark.parametrize(
    ("path", "is_read"),
    [
        ("provisioner.yaml", True),
        ("nodes.d/a.yaml", True),
        ("groups.d/a.yml", True),
        ("nodes.d/.a.yaml", False),
        ("nodes.d/a.yaml~", False),
        ("nodes.d/sub/a.yaml", False),
        ("other.d/a.yaml", False),
        ("a.yaml", False),
        ("overlays/a.yaml", False),
        ("nodes.d", False),
    ],
)
def test_configuration_is_what_collect_reads_as_configuration(tmp_path: Path, path: str, *, is_read: bool) -> None:
    paths = write_site(tmp_path, {path: "x: y\n"} if path != "nodes.d" else {})

    assert is_configuration(path) == is_read == (path in site_files(collect(paths)))


def test_a_file_has_the_names_of_the_links_that_lead_to_it(paths: Paths) -> None:
    (paths.node_files / "l.yaml").symlink_to("a.yaml")
    (paths.node_files / "ignored").symlink_to("a.yaml")
    (paths.site / "groups.d").symlink_to("nodes.d")

    def named(path: str) -> dict[str, str | None]:
        return with_other_names(paths, {path: "new"})

    assert named("nodes.d/l.yaml") == dict.fromkeys(
        ("nodes.d/a.yaml", "nodes.d/l.yaml", "groups.d/a.yaml", "groups.d/l.yaml"), "new"
    )
    assert named("nodes.d/b.yaml") == dict.fromkeys(("nodes.d/b.yaml", "groups.d/b.yaml"), "new")
    assert named("nodes.d/c.yaml") == {"nodes.d/c.yaml": "new"}
    assert with_other_names(paths, {"nodes.d/l.yaml": None}) == {"nodes.d/l.yaml": None}


NEW, EDITED, GONE = "overlays/a/overlay.yaml", "overlays/a/rootfs/etc/a", "overlays/a/rootfs/etc/b"
COVERED, UNCOVERED = "overlays/hostname/rootfs/etc/hostname", "overlays/hosts/rootfs/etc/hosts"
OWN = {EDITED: "old", GONE: "gone", UNCOVERED: "own"}
STEPS = (
    step(NEW, None, "description: new\n"),
    step(EDITED, "old", "new"),
    step(GONE, "gone", None),
    step(COVERED, None, "ours"),
    step(UNCOVERED, "own", None),
)


def powerset(numbers: Iterable[int]) -> Iterator[tuple[int, ...]]:
    known = list(numbers)
    return chain.from_iterable(combinations(known, size) for size in range(len(known) + 1))


def put(paths: Paths, path: str, content: str | None) -> None:
    file = paths.site / path
    if content is None:
        file.unlink()
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    is_new = not file.exists()
    file.write_text(content)
    if is_new:
        file.chmod(0o640)


def overlays(paths: Paths) -> dict[str, SourceFile]:
    return {key: each for key, each in collect(paths).items() if key.startswith("overlays/")}


@pytest.mark.parametrize("placed", [*powerset(range(len(STEPS)))])
def test_however_far_a_commit_of_overlays_has_come_all_of_it_is_seen(
    tmp_path: Path, placed: tuple[int, ...]
) -> None:
    sites = [write_site(tmp_path / name, {**OLD, **OWN}) for name in ("under way", "done")]
    for paths, done in zip(sites, (placed, range(len(STEPS))), strict=True):
        paths.state.mkdir()
        (paths.site / EDITED).chmod(0o600)
        for number in done:
            put(paths, STEPS[number].path, None if (new := STEPS[number].content) is None else new.decode())
    decide(sites[0], *STEPS)

    assert overlays(sites[0]) == overlays(sites[1])
    assert overlays(sites[0])[UNCOVERED].content == (sites[0].data / UNCOVERED).read_bytes()


def test_a_file_of_an_overlay_that_somebody_changed_since_is_seen_as_it_lies_there(paths: Paths) -> None:
    for path in (NEW, EDITED, COVERED, UNCOVERED):
        put(paths, path, "by hand")
    decide(paths, *STEPS)

    found = overlays(paths)

    assert {found[path].content for path in (NEW, EDITED, COVERED, UNCOVERED)} == {b"by hand"}
    assert GONE not in found
