"""Quotes: what a TPM signed is believed, and nothing that was altered, is old, or is about something else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import IntegrityError, ProtocolError
from provisioner.trust.tpm.quote import parse_quote, verify_quote
from provisioner.trust.tpm.wire import SHA256
from tests.support.tpmvectors import SIGNERS, public, registers, vector


def verify(signer: str = "ecc", *, quote: bytes | None = None, signature: bytes | None = None) -> None:
    data = vector(f"{signer}.quote") if quote is None else quote
    nonce = parse_quote(vector(f"{signer}.quote")).nonce
    signed = vector(f"{signer}.sig") if signature is None else signature
    verify_quote(public(signer), data, signed, nonce=nonce, registers=registers())


@pytest.mark.parametrize("signer", SIGNERS)
def test_the_quote_of_a_real_tpm_is_believed(signer: str) -> None:
    verify(signer)


def test_a_quote_says_which_registers_it_is_about() -> None:
    assert parse_quote(vector("few.quote")).registers == {(SHA256, 0), (SHA256, 7)}


def test_other_registers_than_those_that_are_signed_are_refused() -> None:
    nonce = parse_quote(vector("ecc.quote")).nonce
    with pytest.raises(IntegrityError, match="are not those that its TPM signed"):
        verify_quote(
            public("ecc"),
            vector("ecc.quote"),
            vector("ecc.sig"),
            nonce=nonce,
            registers=registers("pcrs_other"),
        )


def test_a_quote_about_fewer_registers_is_refused() -> None:
    nonce = parse_quote(vector("few.quote")).nonce
    with pytest.raises(IntegrityError, match="not about PCR 0 to 9"):
        verify_quote(public("ecc"), vector("few.quote"), vector("few.sig"), nonce=nonce, registers=registers())


def test_a_quote_of_another_time_is_refused() -> None:
    with pytest.raises(IntegrityError, match="an old one"):
        verify_quote(public("ecc"), vector("ecc.quote"), vector("ecc.sig"), nonce=bytes(32), registers=registers())


@pytest.mark.parametrize("signer", SIGNERS)
def test_the_signature_of_another_key_is_refused(signer: str) -> None:
    other = {"ecc": "p384", "p384": "ecc", "rsa": "pss", "pss": "rsa"}[signer]
    with pytest.raises((IntegrityError, ProtocolError)):
        verify(signer, signature=vector(f"{other}.sig"))


@given(st.sampled_from(SIGNERS), st.integers(0, 400), st.integers(1, 255))
def test_an_altered_quote_is_refused(signer: str, place: int, change: int) -> None:
    data = bytearray(vector(f"{signer}.quote"))
    data[place % len(data)] ^= change

    with pytest.raises((IntegrityError, ProtocolError)):
        verify(signer, quote=bytes(data))


@given(st.sampled_from(SIGNERS), st.binary(max_size=300))
def test_any_bytes_are_no_signature(signer: str, data: bytes) -> None:
    with pytest.raises((IntegrityError, ProtocolError)):
        verify(signer, signature=data)


@given(st.integers(0, 400), st.integers(1, 255))
def test_an_altered_signature_is_refused(place: int, change: int) -> None:
    data = bytearray(vector("ecc.sig"))
    data[place % len(data)] ^= change

    with pytest.raises((IntegrityError, ProtocolError)):
        verify(signature=bytes(data))


@given(st.binary(max_size=200))
def test_any_bytes_are_no_quote(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_quote(data)


@given(st.binary(max_size=200))
def test_any_bytes_behind_the_right_start_are_read_or_a_protocol_error(data: bytes) -> None:
    try:
        parse_quote(b"\xffTCG\x80\x18" + data)
    except ProtocolError:
        return
