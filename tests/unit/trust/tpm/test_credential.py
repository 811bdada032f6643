"""Credentials: their form. That a TPM opens them, and no other one, tests/integration/trust/test_tpm.py shows."""

from __future__ import annotations

import pytest

from provisioner.errors import ProtocolError
from provisioner.trust.tpm.credential import aes_cfb, make_credential
from provisioner.trust.tpm.wire import Reader
from tests.support.tpmvectors import public


def test_the_cipher_is_that_of_the_standard() -> None:
    # NIST SP 800-38A, F.3.13, whose vector is that of zeros after one block: E(0) is the mask of the first.
    key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")

    mask = aes_cfb(key, bytes(16))

    assert mask.hex() == "7df76b0c1ab899b33e42f047b91b546f"
    assert aes_cfb(key, bytes(40))[:16] == mask
    assert aes_cfb(key, b"\xff") == bytes([mask[0] ^ 0xFF])


@pytest.mark.parametrize(("name", "secret"), [("ek_rsa", 256), ("ek_ecc", 68)])
def test_a_credential_has_the_form_that_the_tools_read(name: str, secret: int) -> None:
    endorsement = public(name)

    reader = Reader(make_credential(endorsement, public("ecc").name, bytes(32)), "it")

    assert (reader.number(4), reader.number(4)) == (0xBADCC0DE, 1)
    blob = Reader(reader.sized(), "its blob")
    assert len(blob.sized()) == 32
    assert len(blob.take(34)) == 34
    blob.end()
    assert len(reader.sized()) == secret
    reader.end()


def test_no_two_credentials_are_alike() -> None:
    made = {make_credential(public("ek_ecc"), public("ecc").name, bytes(32)) for _ in range(4)}

    assert len(made) == 4


def test_only_an_endorsement_key_closes_one_and_not_more_than_a_digest() -> None:
    with pytest.raises(ProtocolError, match="endorsement key is none"):
        make_credential(public("free"), public("ecc").name, bytes(32))
    with pytest.raises(ValueError, match="32 bytes"):
        make_credential(public("ek_ecc"), public("ecc").name, bytes(33))
