"""Working with the image store."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConflictError, NotFoundError, ProvisionerError
from provisioner.image import gc, scratch, store
from provisioner.image.folder import ImageFolder
from provisioner.image.scratch import workspace
from provisioner.operations import imagegc, imagemove, imagestore
from provisioner.operations.imagehistory import history
from tests.support.bootable import bootable, write
from tests.support.imagestore import OLD, artifact, booted, generation, let_age
from tests.support.imagetree import stored, tree

DPKG = "Package: {}\nStatus: install ok installed\nVersion: {}\nArchitecture: amd64\n\n"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = bootable(tmp_path)
    generation(paths, "toy", b"first", age=OLD)
    generation(paths, "toy", b"second", age=OLD)
    return paths


def names(paths: Paths) -> list[str]:
    return [each["name"] for each in imagestore.list_generations(paths)]


def test_the_list_has_sizes_marks_and_users(paths: Paths) -> None:
    imagemove.tag(paths, "toy@1", "old").make()
    imagestore.pin(paths, "toy@1")
    booted(paths, {"n3": "toy@1"})

    demo, first, second = imagestore.list_generations(paths)

    assert (demo["name"], demo["nodes"], demo["assigned"]) == ("demo@1", 3, "n[1-3]")
    assert (first["tags"], first["pinned"], first["current"], first["running"]) == (["old"], True, False, "n3")
    assert (second["current"], second["size"], second["has_tree"]) == (True, len(b"kernelstage 1second"), False)


def test_the_list_works_for_who_may_not_read_the_site(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("no")

    monkeypatch.setattr(imagestore, "image_use", refuse)

    assert imagestore.list_generations(paths)[0]["nodes"] is None
    assert imagestore.list_kernels(paths)[0]["nodes"] is None


def test_kernels_are_listed_with_how_many_nodes_boot_them(tmp_path: Path) -> None:
    paths = bootable(tmp_path / "site")
    releases = {f"usr/lib/modules/{each}/modules.dep": "" for each in ("6.1.0-1-cloud-amd64", "5.10.0")}
    stored(paths, tree(tmp_path / "root", releases))

    rows = {(each["generation"], each["kernel"]): each for each in imagestore.list_kernels(paths)}

    assert rows["demo@1", "6.1.0-1-cloud-amd64"]["nodes"] == 3
    assert rows["debian-12@1", "6.1.0-1-cloud-amd64"]["boots"]


def test_a_copy_shares_everything_and_knows_where_it_came_from(paths: Paths) -> None:
    made = imagestore.copy(paths, "toy@1", "new").generation

    assert (made.name, made.parent, made.boot_set) == ("new@1", "toy@1", store.find(paths, "toy@1").boot_set)
    with pytest.raises(ConflictError, match="there is an image new already"):
        imagestore.copy(paths, "toy", "new")


def test_a_renamed_image_keeps_its_generations_tags_and_history(paths: Paths) -> None:
    imagemove.tag(paths, "toy@1", "old").make()

    imagestore.rename(paths, "toy", "new")

    assert names(paths) == ["demo@1", "new@1", "new@2"]
    assert store.find(paths, "new@old").name == "new@1"
    assert [each.what for each in ImageFolder.of(paths, "new").history()] == ["made", "made", "tagged", "renamed"]


def test_the_former_name_never_gives_a_number_again_and_may_be_taken_back(paths: Paths) -> None:
    imagestore.rename(paths, "toy", "new")

    assert ImageFolder.of(paths, "toy").next_number() == 3
    imagestore.rename(paths, "new", "toy")

    assert names(paths) == ["demo@1", "toy@1", "toy@2"]
    assert (ImageFolder.of(paths, "toy").next_number(), ImageFolder.of(paths, "new").next_number()) == (3, 3)


def test_an_image_that_nodes_name_or_run_is_not_renamed(paths: Paths) -> None:
    booted(paths, {"n3": "toy@1"})

    with pytest.raises(ConflictError, match=r"demo@1 is assigned to n\[1-3\]"):
        imagestore.rename(paths, "demo", "new")
    with pytest.raises(ConflictError, match="toy@1 is booted by n3"):
        imagestore.rename(paths, "toy", "new")
    with pytest.raises(NotFoundError, match="there is no image nothing"):
        imagestore.rename(paths, "nothing", "new")
    with pytest.raises(ProvisionerError, match="cannot be the name"):
        imagestore.rename(paths, "toy", "../new")


def test_a_name_that_is_taken_or_was_is_no_new_name(paths: Paths) -> None:
    with pytest.raises(ConflictError, match="there is an image demo already"):
        imagestore.rename(paths, "toy", "demo")
    generation(paths, "gone")
    imagestore.delete(paths, "gone")
    with pytest.raises(ConflictError, match="there was an image gone once"):
        imagestore.rename(paths, "toy", "gone")


def test_a_generation_is_deleted_and_its_number_is_not_given_again(paths: Paths) -> None:
    imagestore.delete(paths, "toy@1")
    assert names(paths) == ["demo@1", "toy@2"]
    imagestore.delete(paths, "toy")
    assert names(paths) == ["demo@1"]

    assert generation(paths, "toy").name == "toy@3"


@pytest.mark.parametrize("reference", ["toy@2", "toy@1", "toy", "demo"])
def test_what_is_in_use_is_not_deleted_and_its_users_are_named(paths: Paths, reference: str) -> None:
    booted(paths, {"n3": "toy@1"})

    with pytest.raises(
        ConflictError, match=r"toy@2 is what toy means|toy@1 is booted by n3|demo@1 is assigned to n"
    ):
        imagestore.delete(paths, reference)
    assert names(paths) == ["demo@1", "toy@1", "toy@2"]


def test_what_is_tagged_or_pinned_is_not_deleted(paths: Paths) -> None:
    imagemove.tag(paths, "toy@1", "old").make()
    with pytest.raises(ConflictError, match="toy@1 is tagged toy@old"):
        imagestore.delete(paths, "toy@1")
    imagemove.untag(paths, "toy@old")
    imagestore.pin(paths, "toy@1")
    with pytest.raises(ConflictError, match="toy@1 is pinned"):
        imagestore.delete(paths, "toy")
    imagestore.pin(paths, "toy@1", pinned=False)
    imagestore.delete(paths, "toy@1")

    assert names(paths) == ["demo@1", "toy@2"]


def test_an_image_that_is_being_built_is_not_deleted(paths: Paths) -> None:
    with workspace(paths, "toy"), pytest.raises(ConflictError, match="toy is being built"):
        imagestore.delete(paths, "toy@1")


def test_everything_is_verified_or_one_image_or_generation(paths: Paths) -> None:
    place = store.artifact_path(paths, store.find(paths, "toy@1").boot_set.root.digest)
    place.write_bytes(b"FIRST")

    assert [imagestore.verify(paths, name)[0] for name in (None, "toy", "toy@2")] == [3, 2, 1]
    assert [len(imagestore.verify(paths, name)[1]) for name in (None, "toy", "toy@2", "demo")] == [1, 1, 0, 0]


def test_garbage_is_shown_first_and_then_taken(paths: Paths) -> None:
    generation(paths, "toy", b"third", age=OLD)
    let_age(paths)
    booted(paths, {"n3": "toy@2"}, age=OLD)

    shown = imagegc.plan(paths, keep=1, days=7)
    assert [each.name for each in shown.gone] == ["toy@1"]
    assert {each.name: reason for each, reason in shown.kept} == {
        "demo@1": "current",
        "toy@2": "booted by n3",
        "toy@3": "current",
    }
    assert names(paths) == ["demo@1", "toy@1", "toy@2", "toy@3"]
    done = imagegc.collect(paths, shown, keep=1, days=7)

    assert names(paths) == ["demo@1", "toy@2", "toy@3"]
    assert [each.path.name for each in done.rubbish] == [each.path.name for each in shown.rubbish]
    assert imagegc.plan(paths, keep=1, days=7).rubbish == ()


def test_what_somebody_came_to_use_after_it_was_shown_stays(paths: Paths) -> None:
    let_age(paths)
    shown = imagegc.plan(paths, keep=1, days=7)
    assert [each.name for each in shown.gone] == ["toy@1"]
    imagestore.pin(paths, "toy@1")

    assert imagegc.collect(paths, shown, keep=1, days=7).gone == ()
    assert store.artifact_path(paths, store.find(paths, "toy@1").boot_set.root.digest).exists()


def test_nothing_is_collected_while_an_image_is_built(paths: Paths) -> None:
    let_age(paths)
    shown = imagegc.plan(paths, keep=1, days=7)

    with workspace(paths, "other"), pytest.raises(ConflictError, match="nothing is collected"):
        imagegc.collect(paths, shown, keep=1, days=7)
    assert "toy@1" in names(paths)


def test_what_a_node_names_by_number_is_not_collected(paths: Paths) -> None:
    let_age(paths)
    write(paths, "nodes.d/z.yaml", "nodes: {n2: {image: toy@1}}\n")

    assert imagegc.plan(paths, keep=1, days=0).gone == ()


def test_the_history_says_what_each_generation_changed(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path)
    first = DPKG.format("bash", 1) + DPKG.format("gone", 1)
    generation(paths, packages=first, tree=True)
    generation(paths, root=b"2", packages=DPKG.format("bash", 2) + DPKG.format("new", 1), tree=True)
    generation(paths, root=b"3", tree=True, packages=DPKG.format("bash", 2) + DPKG.format("new", 1))

    one, two, three = history(paths, "toy").generations

    assert (one.changes.since, one.changes.words) == (None, "")
    assert two.changes.words == "packages: 1 new, 1 gone, 1 changed"
    assert (two.changes.added, two.changes.removed) == (("new",), ("gone",))
    assert two.changes.changed == {"bash": ("1", "2")}
    assert (three.changes.words, three.marks) == ("", ("current",))


def test_a_generation_is_compared_with_the_one_that_it_was_made_of(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path)
    generation(paths)
    generation(paths)
    store.publish(paths, store.find(paths, "toy").model_copy(update={"parent": "toy@1", "kernel_release": "7"}))

    last = history(paths, "toy").generations[-1].changes

    assert (last.since, last.words) == ("toy@1", "kernel 6.1.0-1-cloud-amd64 -> 7")


def test_an_image_that_never_was_has_no_history(paths: Paths) -> None:
    with pytest.raises(NotFoundError, match="there is no image nothing"):
        history(paths, "nothing")


def test_the_history_of_a_deleted_image_is_still_told(paths: Paths) -> None:
    imagestore.delete(paths, "toy")

    assert [each.what for each in history(paths, "toy").entries] == ["made", "made", "deleted", "deleted"]


def test_an_artifact_is_not_taken_from_under_a_build(paths: Paths) -> None:
    fresh = artifact(paths, b"not yet published")
    shown = imagegc.plan(paths, keep=1, days=0)

    imagegc.collect(paths, shown, keep=1, days=0)

    assert store.artifact_path(paths, fresh.digest).exists()


def test_an_empty_number_does_not_mean_the_whole_image(paths: Paths) -> None:
    with pytest.raises(ProvisionerError, match="does not say which generation"):
        imagestore.delete(paths, "toy@")
    assert names(paths) == ["demo@1", "toy@1", "toy@2"]


def test_an_image_that_is_called_so_already_is_not_said_to_be_built(paths: Paths) -> None:
    with pytest.raises(ConflictError, match="there is an image toy already"):
        imagestore.rename(paths, "toy", "toy")


def test_a_copy_waits_for_a_sweep_and_finds_what_that_left(paths: Paths) -> None:
    let_age(paths)
    failures: list[str] = []

    def copy() -> None:
        try:
            imagestore.copy(paths, "toy@1", "new")
        except NotFoundError as error:
            failures.append(error.message)

    with scratch.collecting(paths):
        copier = threading.Thread(target=copy)
        copier.start()
        gone = imagegc.plan(paths, keep=1, days=0).gone
        gc.collect(paths, gone, 0.0)
    copier.join()

    assert [each.name for each in gone] == ["toy@1"]
    assert failures == ["there is no image toy@1"]
    assert imagestore.verify(paths) == (2, ())


def test_nothing_is_removed_while_a_file_that_may_name_it_cannot_be_read(paths: Paths) -> None:
    let_age(paths)
    shown = imagegc.plan(paths, keep=1, days=0)
    write(paths, "groups.d/s.yaml", "groups:\n  spare:\n    image: toy@1\n  nonsense: [\n")

    for remove in (
        lambda: imagegc.plan(paths, keep=1, days=0),
        lambda: imagegc.collect(paths, shown, keep=1, days=0),
        lambda: imagestore.delete(paths, "toy@1"),
        lambda: imagestore.rename(paths, "toy", "new"),
    ):
        with pytest.raises(ConflictError, match="what its nodes boot is not known"):
            remove()
    assert [each.name for each in shown.gone] == ["toy@1"]
    assert names(paths) == ["demo@1", "toy@1", "toy@2"]


def test_what_was_deleted_just_now_is_not_pinned(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    found = store.find(paths, "toy@1")
    imagestore.delete(paths, "toy@1")
    monkeypatch.setattr(store, "find", lambda *_: found)

    with pytest.raises(ConflictError, match="toy@1 was removed just now"):
        imagestore.pin(paths, "toy@1")


def test_a_name_that_means_nothing_is_no_whole_store(paths: Paths) -> None:
    (ImageFolder.of(paths, "toy").path / "generations/2.json").unlink()

    _, (damage,) = imagestore.verify(paths)

    assert damage.message == "toy means toy@2, and there is no such generation"
    assert damage.remedy == "prov image rollback toy --to 1"
    imagemove.rollback(paths, "toy", "1").make()
    assert imagestore.verify(paths) == (2, ())
