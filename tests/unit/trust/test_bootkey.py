"""The site's key for Secure Boot."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from provisioner.errors import ConflictError, IntegrityError, NotFoundError
from provisioner.trust.bootkey import BootKey

NOW = 1_800_000_000.0


@pytest.fixture
def key(tmp_path: Path) -> BootKey:
    found = BootKey.below(tmp_path)
    found.make("demo", NOW)
    return found


def test_it_is_a_key_that_firmware_knows_and_a_certificate_of_its_own(key: BootKey) -> None:
    private = load_pem_private_key(key.private.read_bytes(), None)
    certificate = x509.load_der_x509_certificate(key.der)

    assert isinstance(private, rsa.RSAPrivateKey)
    assert private.key_size == 2048
    assert certificate.public_key() == private.public_key()
    assert certificate.subject.rfc4514_string() == "CN=demo Secure Boot"
    assert certificate.not_valid_before_utc.timestamp() < NOW < certificate.not_valid_after_utc.timestamp()
    certificate.verify_directly_issued_by(certificate)


def test_the_private_half_is_for_root_alone(key: BootKey) -> None:
    assert key.private.stat().st_mode & 0o777 == 0o600
    assert key.private.parent.stat().st_mode & 0o777 == 0o700


def test_a_key_is_never_made_over_another_one(key: BootKey) -> None:
    before = key.private.read_bytes()

    with pytest.raises(ConflictError, match="has a key for Secure Boot already"):
        key.make("demo", NOW)
    assert key.private.read_bytes() == before


def test_two_sites_have_different_owners_and_the_same_key_the_same(key: BootKey, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = BootKey.below(tmp_path / "other")
    other.make("demo", NOW)

    assert key.owner == BootKey.below(tmp_path).owner
    assert key.owner != other.owner


def test_no_key_and_a_damaged_certificate_are_told(tmp_path: Path, key: BootKey) -> None:
    with pytest.raises(NotFoundError, match="has no key"):
        BootKey.below(tmp_path / "nowhere").require()
    key.certificate.write_text("nothing")
    with pytest.raises(IntegrityError, match="does not hold a certificate"):
        _ = key.der
