"""A credential that one TPM alone can open, for a key that lives in it (TPM2_MakeCredential, part 1, 24).

It is closed with the endorsement key and names the attestation key. A TPM opens it only where it holds both, so
who shows what was in it has proven that the two belong together.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from provisioner.errors import ProtocolError
from provisioner.trust.tpm.public import Public
from provisioner.trust.tpm.wire import number, sized

MOST_BYTES = 32
"""How long what is in a credential may be: a digest of the endorsement key's kind."""

_SEED = 32
_BLOCK = 16
_IDENTITY = b"IDENTITY\0"
# The file that tpm2_activatecredential reads: a mark and a version before the two structures.
_MARK, _VERSION = 0xBADCC0DE, 1


def make_credential(endorsement: Public, name: bytes, content: bytes) -> bytes:
    """What `tpm2 activatecredential` opens on the machine of this endorsement key, for the key of this name.

    ValueError for a content of more than 32 bytes, ProtocolError for an endorsement key that cannot do it.
    """
    if len(content) > MOST_BYTES:
        raise ValueError(f"a credential has {MOST_BYTES} bytes at most")
    if not endorsement.keeps_for_its_tpm:
        raise ProtocolError("what is shown as the endorsement key is none")
    seed, closed_seed = _seed(endorsement)
    cipher = kdfa(seed, b"STORAGE", name, bits=endorsement.symmetric)
    closed = aes_cfb(cipher, sized(content))
    outer = hmac.digest(kdfa(seed, b"INTEGRITY", b"", bits=256), closed + name, "sha256")
    blob = sized(sized(outer) + closed)
    return number(_MARK, 4) + number(_VERSION, 4) + blob + sized(closed_seed)


def kdfa(key: bytes, label: bytes, context: bytes, *, bits: int) -> bytes:
    """The KDF in counter mode with HMAC-SHA256 (part 1, 11.4.10.2; NIST SP 800-108), of 256 bits at most."""
    message = number(1, 4) + label + b"\0" + context + number(bits, 4)
    return hmac.digest(key, message, "sha256")[: bits // 8]


def aes_cfb(key: bytes, data: bytes) -> bytes:
    """AES in CFB mode from a vector of zeros (NIST SP 800-38A, 6.3), a whole block fed back.

    The library is about to drop this mode, so it is made of CBC: a block of zeros over the last block.
    """
    last, closed = bytes(_BLOCK), b""
    for start in range(0, len(data), _BLOCK):
        mask = Cipher(algorithms.AES(key), modes.CBC(last)).encryptor().update(bytes(_BLOCK))
        last = bytes(a ^ b for a, b in zip(data[start : start + _BLOCK], mask, strict=False))
        closed += last
    return closed


def _seed(endorsement: Public) -> tuple[bytes, bytes]:
    """A seed, and the same so that only the endorsement key opens it (part 1, B.10.4 and C.6.1)."""
    if isinstance(endorsement.key, rsa.RSAPublicKey):
        seed = secrets.token_bytes(_SEED)
        digest = hashes.SHA256()
        oaep = padding.OAEP(mgf=padding.MGF1(digest), algorithm=digest, label=_IDENTITY)
        return seed, endorsement.key.encrypt(seed, oaep)
    return _shared(endorsement.key)


def _shared(key: ec.EllipticCurvePublicKey) -> tuple[bytes, bytes]:
    """A seed agreed on with a key that is made for it, and the public half of that one."""
    size = (key.curve.key_size + 7) // 8
    own = ec.generate_private_key(key.curve)
    secret = own.exchange(ec.ECDH(), key)
    point, theirs = own.public_key().public_numbers(), key.public_numbers()
    x, y = number(point.x, size), number(point.y, size)
    # KDFe (part 1, 11.4.10.3).
    seed = hashlib.sha256(number(1, 4) + secret + _IDENTITY + x + number(theirs.x, size)).digest()
    return seed, sized(x) + sized(y)
