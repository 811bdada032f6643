"""A quote: what a TPM says of its registers (PCR), signed by a key of its own (TPM2_Quote, part 3, 18.4)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from provisioner.errors import IntegrityError, ProtocolError
from provisioner.trust.tpm.public import ECDSA, RSAPSS, RSASSA, Public
from provisioner.trust.tpm.wire import SHA256, Reader

REGISTERS = range(10)
"""The registers that a quote is about: what firmware and loaders measure."""
REGISTER_BYTES = 32

# TPM_GENERATED_VALUE and TPM_ST_ATTEST_QUOTE (part 2, 6.2 and 6.9).
_GENERATED, _QUOTE = 0xFF544347, 0x8018
# Clock, count of resets, count of restarts, whether the clock is safe; version of its firmware.
_CLOCK, _FIRMWARE = 8 + 4 + 4 + 1, 8
_MOST_SELECTIONS = 16


@dataclass(frozen=True, slots=True)
class Quote:
    """What is signed: the nonce of who asked, registers as (algorithm of the bank, number), their digest."""

    nonce: bytes
    registers: frozenset[tuple[int, int]]
    digest: bytes


def parse_quote(data: bytes) -> Quote:
    """TPMS_ATTEST (part 2, 10.12.12). ProtocolError for anything else than a quote."""
    reader = Reader(data, "the quote")
    if (reader.number(4), reader.number(2)) != (_GENERATED, _QUOTE):
        raise ProtocolError("the quote is none, or no TPM said it")
    reader.sized()  # the name of who signs: who it is, the signature tells
    nonce = reader.sized()
    reader.take(_CLOCK + _FIRMWARE)
    registers = _registers(reader)
    digest = reader.sized()
    reader.end()
    return Quote(nonce, registers, digest)


def verify_quote(
    signer: Public, data: bytes, signature: bytes, *, nonce: bytes, registers: Sequence[bytes]
) -> None:
    """Raise IntegrityError unless this key signed these values of PCR 0 to 9 (SHA-256) over this nonce.

    ProtocolError for bytes that are neither quote nor signature.
    """
    _verify_signature(signer, data, signature)
    quote = parse_quote(data)
    if not hmac.compare_digest(quote.nonce, nonce):
        raise IntegrityError("the quote of its TPM is an old one, and no answer to this boot")
    if quote.registers != frozenset((SHA256, number) for number in REGISTERS):
        raise IntegrityError("the quote of its TPM is not about PCR 0 to 9 (SHA-256)")
    if quote.digest != hashlib.sha256(b"".join(registers)).digest():
        raise IntegrityError("the registers that it tells are not those that its TPM signed")


def _registers(reader: Reader) -> frozenset[tuple[int, int]]:
    """TPML_PCR_SELECTION (part 2, 10.9.7): banks, each with a bit for every register."""
    if (count := reader.number(4)) > _MOST_SELECTIONS:
        raise ProtocolError("the quote is about more banks of registers than there are")
    found: set[tuple[int, int]] = set()
    for _ in range(count):
        algorithm = reader.number(2)
        bits = int.from_bytes(reader.take(reader.number(1)), "little")
        found |= {(algorithm, number) for number in range(bits.bit_length()) if bits >> number & 1}
    return frozenset(found)


def _verify_signature(signer: Public, data: bytes, signature: bytes) -> None:
    """TPMT_SIGNATURE (part 2, 11.3.4) over SHA-256."""
    reader = Reader(signature, "the signature of the quote")
    scheme, digest = reader.number(2), reader.number(2)
    if digest != SHA256:
        raise ProtocolError(f"the quote is signed with a digest that is not known: {digest:#06x}")
    try:
        if scheme == ECDSA and isinstance(signer.key, ec.EllipticCurvePublicKey):
            r, s = int.from_bytes(reader.sized()), int.from_bytes(reader.sized())
            reader.end()
            signer.key.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))
        elif scheme in (RSASSA, RSAPSS) and isinstance(signer.key, rsa.RSAPublicKey):
            octets = reader.sized()
            reader.end()
            signer.key.verify(octets, data, _padding(scheme), hashes.SHA256())
        else:
            raise ProtocolError(f"the quote is signed in a way that does not suit its key: {scheme:#06x}")
    except InvalidSignature:
        raise IntegrityError("the quote of its TPM is not signed by the key that it showed") from None


def _padding(scheme: int) -> padding.PKCS1v15 | padding.PSS:
    if scheme == RSASSA:
        return padding.PKCS1v15()
    return padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.AUTO)
