"""The keys with which a site signs: Ed25519 (RFC 8032), derived from the site key, one for each epoch.

Every head node that has the site key signs alike, and nothing has to be stored. Because keys are derived, the one
of the next epoch is known already: a machine is given both, so that a rotation breaks no boot under way.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from provisioner.errors import IntegrityError
from provisioner.trust.sitekey import SiteKey

EPOCH_FILE = "signing-epoch.json"
"""Which epoch signs, in the folder of keys (`trust.tokenepoch`)."""

_ID_DIGITS = 16


class ForeignSignatureError(IntegrityError):
    """A signature of a key that this site does not have (any more)."""


class SigningKeys:
    """Signs for a site, and knows its own signatures: those of the epoch that `epoch` tells and the one before."""

    def __init__(self, key: SiteKey, epoch: Callable[[], int] = lambda: 1) -> None:
        self._epoch = epoch
        self._derive = lru_cache(maxsize=4)(lambda number: _private(key, number))

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of a signature."""
        return self._derive(self._epoch()).sign(message)

    def signed(self, message: bytes) -> str:
        """A signature as text, with the identity of its key before it: `KEY:BASE64`."""
        private = self._derive(self._epoch())
        return f"{_identity(private)}:{b64encode(private.sign(message)).decode()}"

    def verify(self, message: bytes, signature: str) -> None:
        """Raise IntegrityError unless `signed` made this for the message.

        ForeignSignatureError for the signature of another key, or none.
        """
        name, _, text = signature.partition(":")
        known = {_identity(each): each.public_key() for each in map(self._derive, self._accepted())}
        if name not in known:
            raise ForeignSignatureError(f"it is signed by the key {name[:_ID_DIGITS]}, which is none of this site")
        _check(known[name], message, text)

    def public(self) -> tuple[bytes, bytes]:
        """The public keys of this epoch and the next one, as PEM."""
        epoch = self._epoch()
        return _pem(self._derive(epoch)), _pem(self._derive(epoch + 1))

    def identities(self) -> tuple[str, ...]:
        """The identities of the keys whose signatures are good, the one that signs first."""
        return tuple(_identity(self._derive(number)) for number in self._accepted())

    def _accepted(self) -> tuple[int, ...]:
        epoch = self._epoch()
        return (epoch, epoch - 1) if epoch > 1 else (epoch,)


def _private(key: SiteKey, epoch: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(key.derive("signing", str(epoch)))


def _identity(private: Ed25519PrivateKey) -> str:
    raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return sha256(raw).hexdigest()[:_ID_DIGITS]


def _pem(private: Ed25519PrivateKey) -> bytes:
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _check(public: Ed25519PublicKey, message: bytes, text: str) -> None:
    try:
        public.verify(b64decode(text, validate=True), message)
    except (InvalidSignature, Base64Error, ValueError):
        raise IntegrityError("it is not what this site signed") from None
