"""The public area of a TPM's key (TPMT_PUBLIC, part 2, 12.2.4): what it is for, and by which name it is known."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from provisioner.errors import ProtocolError
from provisioner.trust.tpm.wire import SHA256, Reader, number

RSA, ECC, NULL, AES, CFB = 0x0001, 0x0023, 0x0010, 0x0006, 0x0043
RSASSA, RSAPSS, ECDSA = 0x0014, 0x0016, 0x0018

# TPMA_OBJECT (part 2, 8.3).
_FIXED_TPM, _FIXED_PARENT, _ORIGIN = 1 << 1, 1 << 4, 1 << 5
_RESTRICTED, _DECRYPT, _SIGN = 1 << 16, 1 << 17, 1 << 18
_OWN = _FIXED_TPM | _FIXED_PARENT | _ORIGIN | _RESTRICTED

# TPM_ECC_CURVE (part 2, 6.4): NIST P-256, P-384.
_CURVES: dict[int, ec.EllipticCurve] = {0x0003: ec.SECP256R1(), 0x0004: ec.SECP384R1()}
_RSA_BITS = range(2048, 4097)
_EXPONENT = 65537


@dataclass(frozen=True, slots=True)
class Public:
    """A public key of a TPM. `area` is the structure itself, `symmetric` the bits of AES that go with it, or 0."""

    area: bytes
    attributes: int
    symmetric: int
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey

    @property
    def name(self) -> bytes:
        """How TPMs call the key: the digest of its public area, after the algorithm (part 1, 16)."""
        return number(SHA256, 2) + hashlib.sha256(self.area).digest()

    @property
    def identity(self) -> str:
        """The same for people: 64 hexadecimal digits."""
        return self.name[2:].hex()

    @property
    def signs_for_its_tpm(self) -> bool:
        """Whether it was born in its TPM, stays there, and signs nothing but what that TPM itself says."""
        return self.attributes & (_OWN | _SIGN | _DECRYPT) == _OWN | _SIGN

    @property
    def keeps_for_its_tpm(self) -> bool:
        """Whether it was born in its TPM, stays there, and opens only what was closed for objects of that TPM."""
        return self.attributes & (_OWN | _SIGN | _DECRYPT) == _OWN | _DECRYPT and self.symmetric in (128, 256)


def parse_public(data: bytes, what: str) -> Public:
    """A public area, with its length before it (TPM2B_PUBLIC). ProtocolError for anything else.

    Its name must be SHA-256, the key RSA of 2048 to 4096 bits or ECC on P-256 or P-384.
    """
    reader = Reader(data, what)
    area = reader.sized()
    reader.end()
    inner = Reader(area, what)
    kind, digest, attributes = inner.number(2), inner.number(2), inner.number(4)
    inner.sized()  # the policy that opens it
    if kind not in (RSA, ECC) or digest != SHA256:
        raise ProtocolError(f"{what} is of a kind that is not known: {kind:#06x} with the digest {digest:#06x}")
    symmetric = _symmetric(inner, what)
    _scheme(inner, what)
    key = _rsa(inner, what) if kind == RSA else _ecc(inner, what)
    inner.end()
    return Public(area, attributes, symmetric, key)


def _symmetric(reader: Reader, what: str) -> int:
    """The bits of AES in CFB mode; 0 where there is no such cipher."""
    if (algorithm := reader.number(2)) == NULL:
        return 0
    bits, mode = reader.number(2), reader.number(2)
    if (algorithm, mode) != (AES, CFB):
        raise ProtocolError(f"{what} goes with a cipher that is not known: {algorithm:#06x}, {mode:#06x}")
    return bits


def _scheme(reader: Reader, what: str) -> None:
    scheme = reader.number(2)
    if scheme not in (NULL, RSASSA, RSAPSS, ECDSA):
        raise ProtocolError(f"{what} has a scheme that is not known: {scheme:#06x}")
    if scheme != NULL:
        reader.number(2)  # a signature tells its digest itself


def _rsa(reader: Reader, what: str) -> rsa.RSAPublicKey:
    bits, exponent, modulus = reader.number(2), reader.number(4), int.from_bytes(reader.sized())
    if bits not in _RSA_BITS or modulus.bit_length() != bits:
        raise ProtocolError(f"{what} is no RSA key of 2048 to 4096 bits")
    try:
        # Zero means the usual one (part 2, 12.2.3.5).
        return rsa.RSAPublicNumbers(exponent or _EXPONENT, modulus).public_key()
    except ValueError as error:
        raise ProtocolError(f"{what} is no RSA key: {error}") from None


def _ecc(reader: Reader, what: str) -> ec.EllipticCurvePublicKey:
    curve, kdf = _CURVES.get(reader.number(2)), reader.number(2)
    x, y = int.from_bytes(reader.sized()), int.from_bytes(reader.sized())
    if curve is None or kdf != NULL:
        raise ProtocolError(f"{what} is on another curve than P-256 and P-384")
    try:
        return ec.EllipticCurvePublicNumbers(x, y, curve).public_key()
    except ValueError as error:
        raise ProtocolError(f"{what} is no ECC key: {error}") from None
