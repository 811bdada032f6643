"""The certificate that the daemon shows: its own, which renews itself, or one that the site has from elsewhere."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from provisioner.errors import ConfigError, Problem, ProvisionerError
from provisioner.host.files import write_atomically
from provisioner.model.written import Site
from provisioner.trust.sitekey import SiteKey
from provisioner.trust.tlsca import Address, TlsAuthority

CERTIFICATE_FILE, KEY_FILE = "tls-server.crt", "tls-server.key"
_RENEW_BEFORE = 120 * 86400.0


class OwnCertificate:
    """A certificate of the site's own authority, for the names and addresses of this head node."""

    def __init__(self, authority: TlsAuthority, folder: Path, names: Iterable[str], at: Iterable[Address]) -> None:
        self._authority = authority
        self._files = folder / CERTIFICATE_FILE, folder / KEY_FILE
        self._names, self._addresses = sorted(set(names)), sorted(set(at), key=lambda each: (each.version, each))
        self.context = _context()

    def refresh(self, now: float) -> bool:
        """Show a certificate that holds for months yet; whether it is a new one."""
        certificate, key = self._files
        renewed = not self._holds(now)
        if renewed:
            chain, secret = self._authority.issue(self._names, self._addresses, now)
            # The key first: a certificate without its key would stop the daemon after a power cut.
            certificate.unlink(missing_ok=True)
            write_atomically(key, secret, mode=0o600)
            write_atomically(certificate, chain)
        self.context.load_cert_chain(certificate, key)
        return renewed

    def authority(self, now: float) -> bytes:
        """What nodes have to trust, as PEM."""
        return self._authority.certificate(now).public_bytes(Encoding.PEM)

    def _holds(self, now: float) -> bool:
        certificate, key = self._files
        if not certificate.exists() or not key.exists():
            return False
        try:
            shown = x509.load_pem_x509_certificate(certificate.read_bytes())
            shown.verify_directly_issued_by(self._authority.certificate(now))
            known = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except Exception:  # noqa: BLE001 - damaged, of another key, or of another shape: each means a new one
            return False
        names = known.get_values_for_type(x509.DNSName), known.get_values_for_type(x509.IPAddress)
        left = shown.not_valid_after_utc.timestamp() - now
        return names == (self._names, self._addresses) and left > _RENEW_BEFORE


class GivenCertificate:
    """A certificate from elsewhere, in files that somebody else renews."""

    def __init__(self, certificate: Path, key: Path, authority: Path | None) -> None:
        self._files = certificate, key
        self._authority = authority or certificate
        self._stamp: tuple[int, int] | None = None
        self.context = _context()

    def refresh(self, now: float) -> bool:  # noqa: ARG002 - both kinds are asked in the same way
        """Show what the files hold; whether that changed. ConfigError when they cannot be used."""
        certificate, key = self._files
        try:
            stamp = certificate.stat().st_mtime_ns, key.stat().st_mtime_ns
            if stamp == self._stamp:
                return False
            self.context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            hint = f"openssl x509 -noout -subject -in {certificate}; the daemon's user must be able to read both"
            message = f"the certificate {certificate} with the key {key} cannot be used: {error}"
            raise ConfigError((Problem("provisioner.yaml", 0, 0, message, hint),)) from None
        self._stamp = stamp
        return True

    def authority(self, now: float) -> bytes:  # noqa: ARG002 - both kinds are asked in the same way
        """What nodes have to trust, as PEM."""
        try:
            return self._authority.read_bytes()
        except OSError as error:
            raise ProvisionerError(f"the authority {self._authority} cannot be read: {error.strerror}") from error


Certificate = OwnCertificate | GivenCertificate


def authority_of(site: Site, key: SiteKey, folder: Path, now: float) -> bytes:
    """What the nodes of a site have to trust, as PEM; nothing where it does not speak TLS.

    `folder` is that of the keys. Raises ProvisionerError for a file of somebody else's that cannot be read.
    """
    if not site.ports.https:
        return b""
    if site.tls is None:
        return TlsAuthority(key, folder, site.cluster).certificate(now).public_bytes(Encoding.PEM)
    authority = Path(site.tls.authority) if site.tls.authority else None
    return GivenCertificate(Path(site.tls.certificate), Path(site.tls.key), authority).authority(now)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
