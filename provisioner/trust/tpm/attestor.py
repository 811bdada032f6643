"""How a head node comes to believe a TPM, and what it gives it. Nothing is kept between two requests.

Everything follows from the site key, the boot and the names of the two keys of the TPM: the *challenge*, 32 bytes
that only that TPM can open; from it the nonce of the quote, which so proves that the challenge was opened and the
quote is of this boot; and the key under which the TPM's machine gets its overlays. A quote that was believed is
answered with a *ticket*, which any head node with the site key knows for its own.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from provisioner.errors import IntegrityError, ProtocolError
from provisioner.trust.sitekey import SiteKey
from provisioner.trust.tpm.credential import make_credential
from provisioner.trust.tpm.public import Public, parse_public
from provisioner.trust.tpm.quote import verify_quote

_TICKET = re.compile(r"([0-9a-f]{64})\.([0-9a-f]{64})\.([0-9a-f]{64})")
# `openssl enc -pbkdf2 -iter 1`: the password is 256 random bits already, so once is enough.
_SALTED, _SALT, _ROUNDS = b"Salted__", 8, 1
_KEY, _IV = 32, 16


@dataclass(frozen=True, slots=True)
class Keys:
    """The two keys that a machine shows: the endorsement key of its TPM, and the key that signs its quotes."""

    endorsement: Public
    attestation: Public

    @classmethod
    def parse(cls, endorsement: bytes, attestation: bytes) -> Keys:
        """Those of two public areas. ProtocolError for what is none, or is not meant for this."""
        found = cls(
            parse_public(endorsement, "the endorsement key"), parse_public(attestation, "the attestation key")
        )
        if not found.endorsement.keeps_for_its_tpm:
            raise ProtocolError("what is shown as the endorsement key is none")
        if not found.attestation.signs_for_its_tpm:
            raise ProtocolError("what is shown as the attestation key would sign anything")
        return found


class Attestor:
    """Challenges TPMs, and knows who has answered."""

    def __init__(self, key: SiteKey) -> None:
        self._key = key

    def challenge(self, boot: str, keys: Keys) -> bytes:
        """What the TPM has to open before it quotes, as `tpm2 activatecredential` reads it."""
        return make_credential(keys.endorsement, keys.attestation.name, self._secret(boot, *_names(keys)))

    def verify(self, boot: str, keys: Keys, quote: bytes, signature: bytes, *, registers: Sequence[bytes]) -> None:
        """Raise IntegrityError or ProtocolError unless the TPM opened the challenge and signed these registers."""
        nonce = hashlib.sha256(b"quote" + self._secret(boot, *_names(keys))).digest()
        verify_quote(keys.attestation, quote, signature, nonce=nonce, registers=registers)

    def ticket(self, boot: str, keys: Keys) -> str:
        """What the machine shows from now on in this boot; safe in a URL."""
        names = _names(keys)
        return ".".join((*names, self._seal(boot, names)))

    def closed(self, boot: str, ticket: str, content: bytes) -> bytes:
        """A content that only the machine with this ticket can read, as `openssl enc -aes-256-ctr` writes it.

        That nobody alters it is not its business: the boot sheet has the digest. Raises what `admit` raises.
        """
        names = self.admit(boot, ticket)
        password = hashlib.sha256(b"overlay" + self._secret(boot, *names)).hexdigest().encode()
        salt = secrets.token_bytes(_SALT)
        derived = hashlib.pbkdf2_hmac("sha256", password, salt, _ROUNDS, _KEY + _IV)
        cipher = Cipher(algorithms.AES(derived[:_KEY]), modes.CTR(derived[_KEY:]))
        return _SALTED + salt + cipher.encryptor().update(content)

    def admit(self, boot: str, ticket: str) -> tuple[str, str]:
        """The identities of the TPM's keys. IntegrityError unless this site gave the ticket for this boot."""
        match = _TICKET.fullmatch(ticket)
        if match is None or not hmac.compare_digest(match[3], self._seal(boot, (match[1], match[2]))):
            raise IntegrityError("the ticket for its TPM is none of this boot")
        return match[1], match[2]

    def _secret(self, boot: str, endorsement: str, attestation: str) -> bytes:
        return self._key.derive("tpm challenge", boot, endorsement, attestation)

    def _seal(self, boot: str, names: tuple[str, str]) -> str:
        return self._key.derive("tpm ticket", boot, *names).hex()


def _names(keys: Keys) -> tuple[str, str]:
    return keys.endorsement.identity, keys.attestation.identity
