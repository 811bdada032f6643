"""Moving what a name means."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConflictError, NotFoundError, ProvisionerError
from provisioner.image import store
from provisioner.image.folder import ImageFolder
from provisioner.operations import imagemove
from tests.support.bootable import bootable, write
from tests.support.imagestore import generation
from tests.support.resolved import generation as base_of


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = bootable(tmp_path)
    for number in range(2):
        generation(paths, "demo", b"root %d" % number)
    return paths


def means(paths: Paths, reference: str = "demo") -> str:
    return store.find(paths, reference).name


def test_a_rollback_goes_one_generation_back_and_says_who_boots_differently(paths: Paths) -> None:
    move = imagemove.rollback(paths, "demo")

    (nodes,) = move.switched
    assert (nodes.nodes, nodes.before, nodes.after, nodes.trouble) == (("n1", "n2", "n3"), "demo@3", "demo@2", "")
    assert means(paths) == "demo@3"
    move.make()
    assert means(paths) == "demo@2"
    imagemove.rollback(paths, "demo").make()
    assert means(paths) == "demo@1"


def test_a_rollback_is_taken_back_by_number_or_tag(paths: Paths) -> None:
    imagemove.rollback(paths, "demo", "1").make()
    imagemove.tag(paths, "demo@3", "good").make()
    imagemove.rollback(paths, "demo", "good").make()

    assert means(paths) == "demo@3"
    told = [(each.what, each.number, each.before) for each in ImageFolder.of(paths, "demo").history()[-3:]]
    assert told == [("current", 1, 3), ("tagged", 3, None), ("current", 3, 1)]


def test_there_is_nothing_before_the_first(paths: Paths) -> None:
    imagemove.rollback(paths, "demo", "1").make()

    with pytest.raises(NotFoundError, match="no earlier generation"):
        imagemove.rollback(paths, "demo")
    with pytest.raises(NotFoundError, match="no earlier generation"):
        imagemove.rollback(paths, "nothing")


def test_what_is_current_already_is_no_rollback(paths: Paths) -> None:
    with pytest.raises(ConflictError, match="demo@3 is what demo means already"):
        imagemove.rollback(paths, "demo", "3")


def test_nodes_are_not_rolled_back_to_what_cannot_boot(paths: Paths) -> None:
    bare = base_of(image="demo").model_copy(update={"kernel": None, "lacks": ("a kernel",)})
    store.publish(paths, bare)
    generation(paths, "demo", b"root 5")

    assert imagemove.rollback(paths, "demo").generation.name == "demo@3"
    with pytest.raises(ProvisionerError, match="demo@4 cannot boot: it lacks a kernel"):
        imagemove.rollback(paths, "demo", "4")


def test_nodes_that_want_another_kernel_are_named_before(paths: Paths) -> None:
    write(paths, "nodes.d/z.yaml", 'nodes: {n2: {kernel: {version: "6.9"}}}\n')

    troubled = imagemove.rollback(paths, "demo").troubled

    assert [(each.nodes, each.trouble) for each in troubled] == [
        (("n2",), "the nodes want the kernel 6.9, and it has 6.1.0-1-cloud-amd64")
    ]


def test_a_generation_that_went_meanwhile_does_not_become_current(paths: Paths) -> None:
    move = imagemove.rollback(paths, "demo")
    ImageFolder.of(paths, "demo").forget(2)

    with pytest.raises(ConflictError, match="demo@2 was removed just now"):
        move.make()
    assert means(paths) == "demo@3"


def test_nodes_that_name_a_tag_boot_what_it_is_moved_to(paths: Paths) -> None:
    imagemove.tag(paths, "demo@1", "prod").make()
    write(paths, "nodes.d/z.yaml", "nodes: {n2: {image: demo@prod}}\n")

    (nodes,) = imagemove.tag(paths, "demo@2", "prod").switched

    assert (nodes.nodes, nodes.before, nodes.after) == (("n2",), "demo@1", "demo@2")


def test_a_tag_that_is_named_stays_and_says_where(paths: Paths) -> None:
    imagemove.tag(paths, "demo@1", "prod").make()
    write(paths, "nodes.d/z.yaml", "nodes: {n2: {image: demo@prod}}\n")

    with pytest.raises(ConflictError, match=r"the tag demo@prod is in use: nodes\.d/z\.yaml:1"):
        imagemove.untag(paths, "demo@prod")
    write(paths, "nodes.d/z.yaml", "nodes: {}\n")
    imagemove.untag(paths, "demo@prod")
    with pytest.raises(NotFoundError):
        store.find(paths, "demo@prod")


@pytest.mark.parametrize("reference", ["demo@1", "demo"])
def test_what_is_no_tag_cannot_be_forgotten(paths: Paths, reference: str) -> None:
    with pytest.raises(NotFoundError, match="is no tag of demo"):
        imagemove.untag(paths, reference)


def test_a_number_that_is_empty_is_not_the_one_before(paths: Paths) -> None:
    with pytest.raises(ProvisionerError, match="no generation of demo was named"):
        imagemove.rollback(paths, "demo", "")


def test_who_names_a_generation_to_roll_back_to_hears_the_right_words(paths: Paths) -> None:
    with pytest.raises(ProvisionerError, match="demo@1 is a generation") as caught:
        imagemove.rollback(paths, "demo@1")
    assert caught.value.hint == "prov image rollback demo --to 1"
