"""Public areas of keys: what real TPMs make is read, everything else is refused in words."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import ProtocolError
from provisioner.trust.tpm.public import parse_public
from provisioner.trust.tpm.wire import MOST
from tests.support.tpmvectors import SIGNERS, public, vector

NAMES = ("ek_rsa", "ek_ecc", "free", *SIGNERS)


@pytest.mark.parametrize("name", ["ek_rsa", "ek_ecc"])
def test_an_endorsement_key_opens_for_its_own_tpm_and_signs_nothing(name: str) -> None:
    key = public(name)

    assert key.keeps_for_its_tpm
    assert not key.signs_for_its_tpm
    assert key.symmetric == 128


@pytest.mark.parametrize("name", SIGNERS)
def test_an_attestation_key_signs_what_its_tpm_says_and_nothing_else(name: str) -> None:
    key = public(name)

    assert key.signs_for_its_tpm
    assert not key.keeps_for_its_tpm


def test_a_key_that_signs_anything_is_neither() -> None:
    key = public("free")

    assert not key.signs_for_its_tpm
    assert not key.keeps_for_its_tpm


def test_the_kinds_of_keys_are_told_apart() -> None:
    assert isinstance(public("rsa").key, rsa.RSAPublicKey)
    found = public("p384").key
    assert isinstance(found, ec.EllipticCurvePublicKey)
    assert found.curve.name == "secp384r1"


def test_keys_have_names_of_their_own() -> None:
    names = {public(name).identity for name in NAMES}

    assert len(names) == len(NAMES)
    assert all(len(name) == 64 for name in names)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_cut_off_or_too_long_is_refused(name: str) -> None:
    data = vector(f"{name}.pub")

    for length in range(len(data)):
        with pytest.raises(ProtocolError):
            parse_public(data[:length], "the key")
    for more in (b"\0", bytes(MOST)):
        with pytest.raises(ProtocolError, match=r"too many|more than"):
            parse_public(data + more, "the key")


@given(st.binary(max_size=400))
def test_any_bytes_are_a_key_or_a_protocol_error(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_public(data, "the key")


@given(st.sampled_from(NAMES), st.integers(0, 400), st.integers(1, 255))
def test_an_altered_key_is_another_key_or_a_protocol_error(name: str, place: int, change: int) -> None:
    data = bytearray(vector(f"{name}.pub"))
    data[place % len(data)] ^= change

    try:
        found = parse_public(bytes(data), "the key")
    except ProtocolError:
        return
    assert found.identity != public(name).identity
