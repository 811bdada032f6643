"""What the head node believes of a TPM, and the ticket that it gives for it."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import IntegrityError, ProtocolError
from provisioner.trust.sitekey import SiteKey
from provisioner.trust.tpm.attestor import Attestor, Keys
from tests.support.tpmvectors import ATTESTOR, BOOT, SIGNERS, keys, registers, vector


@pytest.mark.parametrize("signer", SIGNERS)
def test_an_answer_to_the_challenge_of_this_boot_is_believed_by_any_head_node(signer: str) -> None:
    other_head = Attestor(SiteKey(bytes(32)))

    for head in (ATTESTOR, other_head):
        quote, signature = vector(f"{signer}.quote"), vector(f"{signer}.sig")
        head.verify(BOOT, keys(signer), quote, signature, registers=registers())


@pytest.mark.parametrize(
    ("head", "boot", "shown"),
    [
        (ATTESTOR, "b2", keys()),
        (Attestor(SiteKey(bytes(31) + b"x")), BOOT, keys()),
        (ATTESTOR, BOOT, Keys.parse(vector("ek_rsa.pub"), vector("ecc.pub"))),
    ],
)
def test_in_another_boot_at_another_site_or_with_another_tpm_it_is_not(
    head: Attestor, boot: str, shown: Keys
) -> None:
    with pytest.raises(IntegrityError, match="an old one"):
        head.verify(boot, shown, vector("ecc.quote"), vector("ecc.sig"), registers=registers())


def test_keys_that_are_meant_for_something_else_are_refused() -> None:
    with pytest.raises(ProtocolError, match="as the attestation key would sign anything"):
        Keys.parse(vector("ek_ecc.pub"), vector("free.pub"))
    with pytest.raises(ProtocolError, match="as the endorsement key is none"):
        Keys.parse(vector("ecc.pub"), vector("ecc.pub"))


def test_a_ticket_is_good_in_its_boot_and_at_its_site_alone() -> None:
    ticket = ATTESTOR.ticket(BOOT, keys())

    assert ATTESTOR.admit(BOOT, ticket) == (keys().endorsement.identity, keys().attestation.identity)
    for head, boot in ((ATTESTOR, "b2"), (Attestor(SiteKey(bytes(31) + b"x")), BOOT)):
        with pytest.raises(IntegrityError, match="none of this boot"):
            head.admit(boot, ticket)


@given(st.integers(0, 193), st.sampled_from("0123456789abcdef.x/\n"))
def test_an_altered_ticket_is_none(place: int, character: str) -> None:
    ticket = ATTESTOR.ticket(BOOT, keys())
    altered = ticket[:place] + character + ticket[place + 1 :]
    if altered != ticket:
        with pytest.raises(IntegrityError):
            ATTESTOR.admit(BOOT, altered)


@given(st.text(max_size=250))
def test_any_text_is_no_ticket(text: str) -> None:
    with pytest.raises(IntegrityError):
        ATTESTOR.admit(BOOT, text)


def test_what_is_closed_opens_with_the_password_of_the_challenge_alone() -> None:
    ticket, content = ATTESTOR.ticket(BOOT, keys()), b"the archive" * 100

    closed = ATTESTOR.closed(BOOT, ticket, content)

    assert closed.startswith(b"Salted__")
    assert closed != ATTESTOR.closed(BOOT, ticket, content)
    secret = SiteKey(bytes(32)).derive("tpm challenge", BOOT, *ATTESTOR.admit(BOOT, ticket))
    password = hashlib.sha256(b"overlay" + secret).hexdigest().encode()
    derived = hashlib.pbkdf2_hmac("sha256", password, closed[8:16], 1, 48)
    cipher = Cipher(algorithms.AES(derived[:32]), modes.CTR(derived[32:]))
    assert cipher.decryptor().update(closed[16:]) == content
