"""The site's key for Secure Boot: what firmware that knows its certificate starts.

RSA with 2048 bits, which all firmware knows (UEFI 2.10 section 32.3.6). It is not derived from the site key: it
must outlive it, because taking it out of a thousand machines is work.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid5

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from provisioner.errors import ConflictError, IntegrityError, NotFoundError
from provisioner.host.files import locked, write_atomically

_DAYS = 20 * 365
_OWNERS = UUID("0b6f8c1c-4c53-5b0e-a3c0-7d1b1f5f2f6e")
_BITS = 2048


@dataclass(frozen=True, slots=True)
class BootKey:
    """Where the key lies: private key and certificate, both PEM; the former is for root alone."""

    private: Path
    certificate: Path

    @classmethod
    def below(cls, folder: Path) -> BootKey:
        """The key in a folder of keys, whether there is one or not."""
        return cls(folder / "secureboot.key", folder / "secureboot.crt")

    @property
    def exists(self) -> bool:
        """Whether it was made."""
        return self.private.exists() and self.certificate.exists()

    def require(self) -> BootKey:
        """Itself; NotFoundError where it was never made."""
        if not self.exists:
            raise NotFoundError("the site has no key for Secure Boot", hint="prov secureboot init")
        return self

    @property
    def signs_kernels(self) -> bool:
        """Whether it signs kernels by themselves: with such a one whoever likes starts a stage 1 of his own."""
        return not self._mark.exists()

    @property
    def _mark(self) -> Path:
        return self.private.with_suffix(".unified")

    def make(self, cluster: str, now: float, *, kernels: bool = True) -> None:
        """Make it. ConflictError where there is one: machines would refuse what the other one signs.

        Without `kernels` it shall never sign a kernel by itself; nobody could take that back later.
        """
        with locked(self.private.parent / ".lock"):
            if self.private.exists() or self.certificate.exists():
                hint = "prov secureboot status shows it; to begin anew, move it away and enrol every machine again"
                raise ConflictError(f"the site has a key for Secure Boot already: {self.private}", hint=hint)
            self.private.parent.chmod(0o700)
            key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
            certificate = _self_signed(key, f"{cluster} Secure Boot", now)
            secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            if not kernels:
                write_atomically(self._mark, b"")
            # The folder is the daemon's, which signs nothing.
            write_atomically(self.private, secret, mode=0o600, own=True)
            write_atomically(self.certificate, certificate.public_bytes(Encoding.PEM))

    @property
    def der(self) -> bytes:
        """The certificate as firmware takes it. IntegrityError for a damaged file."""
        try:
            found = x509.load_pem_x509_certificate(self.require().certificate.read_bytes())
        except ValueError:
            raise IntegrityError(f"{self.certificate} does not hold a certificate", hint="restore it") from None
        return found.public_bytes(Encoding.DER)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, as firmware menus and `openssl x509 -fingerprint -sha256` show it."""
        return sha256(self.der).digest().hex(":").upper()

    @property
    def owner(self) -> UUID:
        """The owner that its signature lists name: the same for the same certificate."""
        return uuid5(_OWNERS, self.fingerprint)


def _self_signed(key: rsa.RSAPrivateKey, name: str, now: float) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    # Firmware that looks at times may have a clock that stands at its making.
    begins = datetime.datetime.fromtimestamp(now, datetime.UTC) - datetime.timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + datetime.timedelta(days=_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
