"""Signatures of the site: made by its key, known by its name, good for one epoch more."""

from __future__ import annotations

from base64 import b64decode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from provisioner.errors import IntegrityError
from provisioner.trust.signing import ForeignSignatureError, SigningKeys
from provisioner.trust.sitekey import SiteKey

KEY = SiteKey(b"k" * 32)
KEYS = SigningKeys(KEY)


def at(epoch: int) -> SigningKeys:
    return SigningKeys(KEY, lambda: epoch)


def test_what_was_signed_is_known_again_by_every_head_of_the_site() -> None:
    SigningKeys(SiteKey(b"k" * 32)).verify(b"text", KEYS.signed(b"text"))


def test_another_text_is_refused() -> None:
    with pytest.raises(IntegrityError, match="not what this site signed"):
        KEYS.verify(b"other", KEYS.signed(b"text"))


@pytest.mark.parametrize("signature", ["", "nothing", "0123456789abcdef:AAAA"])
def test_no_signature_and_that_of_another_key_are_not_ours_to_judge(signature: str) -> None:
    with pytest.raises(ForeignSignatureError):
        KEYS.verify(b"text", signature)


def test_another_site_has_another_key() -> None:
    with pytest.raises(ForeignSignatureError):
        SigningKeys(SiteKey(b"x" * 32)).verify(b"text", KEYS.signed(b"text"))


@pytest.mark.parametrize("damage", ["", "!", "AAAA", "A" * 88])
def test_a_damaged_signature_of_our_key_is_refused(damage: str) -> None:
    with pytest.raises(IntegrityError, match="not what this site signed"):
        KEYS.verify(b"text", f"{KEYS.identities()[0]}:{damage}")


@pytest.mark.parametrize(("signed", "now", "good"), [(1, 1, True), (1, 2, True), (1, 3, False), (2, 1, False)])
def test_the_key_of_an_epoch_and_the_one_before_are_good(*, signed: int, now: int, good: bool) -> None:
    signature = at(signed).signed(b"text")

    if good:
        at(now).verify(b"text", signature)
    else:
        with pytest.raises(ForeignSignatureError):
            at(now).verify(b"text", signature)


def test_machines_are_given_the_key_of_the_next_epoch_too() -> None:
    assert at(1).public()[1] == at(2).public()[0]


def test_the_public_key_is_what_other_programs_check_signatures_with() -> None:
    public = load_pem_public_key(KEYS.public()[0])
    assert isinstance(public, Ed25519PublicKey)

    public.verify(KEYS.sign(b"text"), b"text")
    public.verify(b64decode(KEYS.signed(b"text").partition(":")[2]), b"text")
