"""What the site vouches for: signed, revoked, released."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConflictError, IntegrityError, NotFoundError, ProvisionerError
from provisioner.image import store
from provisioner.image.folder import ImageFolder
from provisioner.image.verify import verify
from provisioner.model.image import Generation
from provisioner.operations import imagemove, imagestore, imagetrust
from provisioner.operations.keys import rotate_signing
from provisioner.trust.seal import unsealed
from tests.support.bootable import bootable
from tests.support.imagestore import generation


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """demo@1 to demo@3, with three nodes that boot demo."""
    paths = bootable(tmp_path)
    for number in range(2):
        generation(paths, "demo", b"root %d" % number)
    return paths


def altered(paths: Paths, reference: str, **changes: object) -> Generation:
    """The record of a generation as somebody rewrote it."""
    found = store.find(paths, reference).model_copy(update=changes)
    ImageFolder.of(paths, found.image).add(found)
    return found


def doubtful(paths: Paths) -> list[str]:
    keys = store.signing_keys(paths)
    return [each.name for each in store.catalogue(paths).generations["demo"].values() if unsealed(each, keys)]


def test_what_is_published_is_signed(paths: Paths) -> None:
    assert doubtful(paths) == []
    assert imagetrust.sign(paths) == ()


def test_what_was_not_signed_is_and_nothing_else(paths: Paths) -> None:
    altered(paths, "demo@1", signature="")
    altered(paths, "demo@3", signature="0123456789abcdef:AAAA")

    assert [each.name for each in imagetrust.sign(paths, "demo@3")] == ["demo@3"]
    assert [each.name for each in imagetrust.sign(paths, "demo")] == ["demo@1"]
    assert doubtful(paths) == []
    assert ImageFolder.of(paths, "demo").history()[-1].what == "signed"
    with pytest.raises(NotFoundError):
        imagetrust.sign(paths, "nothing")


def test_what_is_damaged_is_not_signed(paths: Paths) -> None:
    found = altered(paths, "demo@2", signature="")
    assert found.root is not None
    store.artifact_path(paths, found.root.digest).write_bytes(b"other")

    with pytest.raises(IntegrityError, match="demo@2 is not signed: "):
        imagetrust.sign(paths)
    assert doubtful(paths) == ["demo@2"]


def test_a_record_that_was_altered_is_found_by_verify(paths: Paths) -> None:
    found = altered(paths, "demo@2", created=1.0)

    (damage,) = verify(paths, [found])

    assert damage.message == "the record of demo@2 is not what this site signed"
    assert damage.generations == ("demo@2",)


def test_a_renamed_image_is_signed_by_its_new_name(paths: Paths) -> None:
    generation(paths, "spare", b"root")
    imagestore.rename(paths, "spare", "other")

    assert unsealed(store.find(paths, "other"), store.signing_keys(paths)) == ""


def test_a_rename_does_not_sign_what_was_not_signed(paths: Paths) -> None:
    generation(paths, "spare", b"root")
    altered(paths, "spare@1", signature="")
    imagestore.rename(paths, "spare", "other")

    assert unsealed(store.find(paths, "other"), store.signing_keys(paths)) == "other@1 is not signed"


def test_a_copy_is_signed_by_its_own_name(paths: Paths) -> None:
    imagestore.copy(paths, "demo@1", "other")

    assert unsealed(store.find(paths, "other"), store.signing_keys(paths)) == ""


def test_rotations_sign_again_what_the_site_signed_and_nothing_else(paths: Paths) -> None:
    altered(paths, "demo@2", signature="")

    assert [rotate_signing(paths), rotate_signing(paths)] == [(2, 2), (3, 2)]
    assert doubtful(paths) == ["demo@2"]


def test_a_revocation_says_who_does_not_boot_any_more(paths: Paths) -> None:
    move = imagetrust.revoke(paths, "demo@3")

    (nodes,) = move.switched
    assert (nodes.nodes, nodes.before, nodes.after) == (("n1", "n2", "n3"), "demo@3", "demo@3")
    assert nodes.trouble == "it is revoked"
    assert move.what == "demo@3 must not boot any more"
    assert not store.catalogue(paths).is_revoked(move.generation)
    move.make()
    assert store.catalogue(paths).is_revoked(move.generation)


def test_older_ones_are_revoked_with_it(paths: Paths) -> None:
    move = imagetrust.revoke(paths, "demo@2", older=True)
    move.make()

    assert (move.what, move.switched) == ("demo@1, demo@2 must not boot any more", ())
    assert store.catalogue(paths).revoked["demo"] == {1, 2}
    told = [(each.what, each.number) for each in ImageFolder.of(paths, "demo").history()[-2:]]
    assert told == [("revoked", 1), ("revoked", 2)]


def test_tags_and_pins_stay_as_they_are(paths: Paths) -> None:
    imagemove.tag(paths, "demo@1", "good").make()
    imagetrust.revoke(paths, "demo@1").make()
    imagetrust.release(paths, "demo@1").make()

    assert ImageFolder.of(paths, "demo").marks().tags == {"good": 1}


def test_a_rollback_passes_the_revoked_ones_by(paths: Paths) -> None:
    imagetrust.revoke(paths, "demo@2").make()

    assert imagemove.rollback(paths, "demo").generation.name == "demo@1"
    with pytest.raises(ProvisionerError, match="demo@2 is revoked") as raised:
        imagemove.rollback(paths, "demo", "2")
    assert raised.value.hint == "prov image release demo@2"


def test_a_release_says_who_boots_again(paths: Paths) -> None:
    imagetrust.revoke(paths, "demo@3").make()
    move = imagetrust.release(paths, "demo@3")

    assert [(each.nodes, each.trouble) for each in move.switched] == [(("n1", "n2", "n3"), "")]
    move.make()
    assert store.catalogue(paths).revoked["demo"] == frozenset()


def test_nothing_is_revoked_or_released_twice(paths: Paths) -> None:
    with pytest.raises(ConflictError, match="demo@3 is not revoked"):
        imagetrust.release(paths, "demo@3")
    imagetrust.revoke(paths, "demo@3").make()
    with pytest.raises(ConflictError, match="demo@3 is revoked already"):
        imagetrust.revoke(paths, "demo@3")
