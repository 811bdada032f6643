from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.image import store
from provisioner.image.verify import Damage, remedy, verify
from provisioner.model.image import Generation, Origin
from tests.support import resolved
from tests.support.imagestore import generation


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.below(tmp_path / "site")


def damage(paths: Paths, *generations: Generation, deep: bool = False) -> list[Damage]:
    return list(verify(paths, generations, deep=deep))


def test_a_whole_store_has_no_damage(paths: Paths) -> None:
    made = generation(paths, tree=True)

    assert damage(paths, made, deep=True) == []


def test_a_generation_without_a_tree_is_whole(paths: Paths) -> None:
    assert damage(paths, generation(paths), deep=True) == []


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"rooT", "is damaged: its content has the digest"), (b"ro", "has 2 bytes and not 4"), (None, "is missing")],
)
def test_a_damaged_file_is_told_once_with_all_who_need_it_and_what_mends_it(
    paths: Paths, content: bytes | None, told: str
) -> None:
    first, second = generation(paths), generation(paths)
    place = store.artifact_path(paths, first.boot_set.root.digest)
    place.unlink()
    if content is not None:
        place.write_bytes(content)

    (found,) = damage(paths, first, second)

    assert told in found.message
    assert found.generations == ("toy@1", "toy@2")
    assert found.remedy == "prov image build debian-12 --name toy"


def test_a_tree_is_compared_with_its_list_only_when_asked(paths: Paths) -> None:
    made = generation(paths, tree=True)
    place = store.tree_path(paths, made.tree)
    (place / "etc/motd").write_bytes(b"ROOT")
    (place / "etc/new").touch()
    (place / "bin").unlink()

    assert damage(paths, made) == []
    (found,) = damage(paths, made, deep=True)
    assert "is not what its list says: bin, etc/motd, etc/new" in found.message


def test_a_list_that_is_damaged_or_gone_and_a_tree_that_is_gone_are_told(paths: Paths) -> None:
    made = generation(paths, tree=True)
    listing = store.manifest_path(paths, made.tree)
    text = listing.read_bytes()

    listing.write_bytes(text + b"{}\n")
    assert "another digest" in damage(paths, made)[0].message
    listing.unlink()
    assert "is missing" in damage(paths, made)[0].message
    listing.write_bytes(text)
    store.tree_path(paths, made.tree).rename(paths.images / "elsewhere")
    assert "is missing" in damage(paths, made)[0].message


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        (Origin(kind="recipe", reference="rocky-9"), "prov image build rocky-9 --name debian-12"),
        (Origin(kind="oci", reference="oci:/srv/x"), "prov image import oci:/srv/x debian-12"),
        (Origin(kind="dir", reference="dir:/srv/a b"), "prov image import 'dir:/srv/a b' debian-12"),
        (
            Origin(kind="registry", reference="docker://h:5/x:9", digest="sha256:ab"),
            "docker://h:5/x@sha256:ab deb",
        ),
        (Origin(kind="command", reference="dnf update"), "prov image load FILE"),
    ],
)
def test_the_remedy_fits_where_the_generation_came_from(origin: Origin, command: str) -> None:
    assert command in remedy(resolved.generation().model_copy(update={"origin": origin}))
