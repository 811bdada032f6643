"""What the site vouches for when it publishes a generation."""

from __future__ import annotations

import pytest

from provisioner.model.image import Artifact
from provisioner.trust.seal import broken, manifest, sealed, unsealed
from provisioner.trust.signing import SigningKeys
from provisioner.trust.sitekey import SiteKey
from tests.support.resolved import generation

KEYS = SigningKeys(SiteKey(b"k" * 32))
OTHERS = SigningKeys(SiteKey(b"x" * 32))
EVIL = Artifact(digest="sha256:" + "e" * 64, size=74)


def test_a_sealed_generation_is_vouched_for() -> None:
    assert unsealed(sealed(generation(), KEYS), KEYS) == ""


@pytest.mark.parametrize(
    "change",
    [
        *({name: EVIL} for name in ("kernel", "stage1", "root", "archive", "verity")),
        {"root": None},
        {"verity_root": "e" * 64},
        {"number": 2},
        {"image": "rocky-9"},
        {"tree": "sha256:" + "e" * 64},
        {"created": 1.0},
    ],
)
def test_whatever_nodes_boot_is_part_of_it(change: dict[str, object]) -> None:
    altered = sealed(generation(), KEYS).model_copy(update=change)

    assert broken(altered, KEYS).endswith("is not what this site signed")
    assert unsealed(altered, KEYS) == broken(altered, KEYS)


def test_what_people_say_of_it_may_change() -> None:
    assert unsealed(sealed(generation(), KEYS).model_copy(update={"note": "for the demo"}), KEYS) == ""


def test_one_without_a_signature_is_not_broken_and_not_vouched_for() -> None:
    assert broken(generation(), KEYS) == ""
    assert unsealed(generation(), KEYS) == "debian-12@1 is not signed"


def test_one_of_another_site_is_not_broken_and_not_vouched_for() -> None:
    theirs = sealed(generation(), OTHERS)

    assert broken(theirs, KEYS) == ""
    assert unsealed(theirs, KEYS).startswith("debian-12@1: it is signed by the key ")


def test_equal_facts_are_equal_bytes() -> None:
    assert manifest(generation()) == manifest(generation().model_copy(update={"note": "x", "warnings": ("y",)}))
    assert manifest(generation()).count(b"\n") == 1
