"""The site's own certificate authority: derived from the site key, so every head node has the same one.

Its certificate is made once and kept, because nodes and people compare it. There is nothing else to store or to
lose: whoever has the site key has the authority.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from provisioner.errors import IntegrityError
from provisioner.host.files import locked, write_atomically
from provisioner.trust.sitekey import SiteKey

Address = IPv4Address | IPv6Address

CA_FILE = "tls-ca.crt"
_CURVE = ec.SECP256R1()
# Order of the curve's group (SEC 2, section 2.4.2).
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_CA_DAYS, _SERVER_DAYS = 3653, 365
# A node whose clock stands at 1970 has to be able to boot.
_ALWAYS = datetime.datetime(1970, 1, 2, tzinfo=datetime.UTC)


class TlsAuthority:
    """Signs the certificates of head nodes. `folder` holds its own one."""

    def __init__(self, key: SiteKey, folder: Path, cluster: str) -> None:
        number = int.from_bytes(key.derive("tls-authority") + key.derive("tls-authority", "more"))
        self._private = ec.derive_private_key(number % (_ORDER - 1) + 1, _CURVE)
        self._file = folder / CA_FILE
        self._cluster = cluster

    def certificate(self, now: float) -> x509.Certificate:
        """Its certificate, made when there is none, or one of another key, or one that ends within a year."""
        with locked(self._file.parent / ".lock"):
            found = self._kept()
            if found is None or not self._holds(found, now):
                found = self._self_signed(now)
                write_atomically(self._file, found.public_bytes(Encoding.PEM))
        return found

    def issue(self, names: Iterable[str], addresses: Iterable[Address], now: float) -> tuple[bytes, bytes]:
        """A certificate for a server with these names and addresses, with the authority's behind it; and its key.

        Both are PEM. The certificate is good for a year.
        """
        authority, private = self.certificate(now), ec.generate_private_key(_CURVE)
        known = [*(x509.DNSName(name) for name in names), *(x509.IPAddress(each) for each in addresses)]
        builder = (
            _builder(_name(f"{self._cluster} head node"), authority.subject, now, _SERVER_DAYS)
            .public_key(private.public_key())
            .add_extension(x509.SubjectAlternativeName(known), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(self._key_identifier(), critical=False)
        )
        certificate = builder.sign(self._private, hashes.SHA256())
        chain = certificate.public_bytes(Encoding.PEM) + authority.public_bytes(Encoding.PEM)
        return chain, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def _kept(self) -> x509.Certificate | None:
        if not self._file.exists():
            return None
        try:
            return x509.load_pem_x509_certificate(self._file.read_bytes())
        except ValueError:
            hint = f"rm {self._file}; the daemon makes it again from the site key"
            raise IntegrityError(f"{self._file} does not hold a certificate", hint=hint) from None

    def _holds(self, certificate: x509.Certificate, now: float) -> bool:
        ours = certificate.public_key() == self._private.public_key()
        return ours and certificate.not_valid_after_utc.timestamp() - now > _SERVER_DAYS * 86400

    def _self_signed(self, now: float) -> x509.Certificate:
        name = _name(f"{self._cluster} provisioner CA")
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = (
            _builder(name, name, now, _CA_DAYS)
            .public_key(self._private.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._private.public_key()), critical=False)
        )
        return builder.sign(self._private, hashes.SHA256())

    def _key_identifier(self) -> x509.AuthorityKeyIdentifier:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(self._private.public_key())


def _name(text: str) -> x509.Name:
    # RFC 5280 appendix A: a common name has at most 64 characters.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _builder(subject: x509.Name, issuer: x509.Name, now: float, days: int) -> x509.CertificateBuilder:
    ends = datetime.datetime.fromtimestamp(now, datetime.UTC) + datetime.timedelta(days=days)
    serial = x509.random_serial_number()
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).serial_number(serial)
    return builder.not_valid_before(_ALWAYS).not_valid_after(ends)
