"""The site's certificate authority, and the certificates of head nodes."""

from __future__ import annotations

import datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509

from provisioner.errors import ConfigError, IntegrityError
from provisioner.trust.sitekey import SiteKey
from provisioner.trust.tls import CERTIFICATE_FILE, KEY_FILE, GivenCertificate, OwnCertificate
from provisioner.trust.tlsca import CA_FILE, TlsAuthority

NOW = 1_800_000_000.0
DAY = 86400.0
KEY = SiteKey(b"k" * 32)


def authority(folder: Path, key: SiteKey = KEY) -> TlsAuthority:
    return TlsAuthority(key, folder, "demo")


def own(folder: Path, *addresses: str) -> OwnCertificate:
    at = [ip_address(each) for each in addresses or ("10.0.0.1", "fd00::1")]
    return OwnCertificate(authority(folder), folder, ["provisioner", "head"], at)


def shown(folder: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / CERTIFICATE_FILE).read_bytes())


def test_two_head_nodes_of_a_site_have_the_same_authority(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    chain, _ = authority(one).issue(["head2"], [], NOW)

    theirs = authority(other).certificate(NOW)

    x509.load_pem_x509_certificate(chain).verify_directly_issued_by(theirs)


def test_another_site_key_is_another_authority(tmp_path: Path) -> None:
    first = authority(tmp_path).certificate(NOW)

    second = authority(tmp_path, SiteKey(b"x" * 32)).certificate(NOW)

    assert first.public_key() != second.public_key()
    assert first.subject == second.subject


def test_the_authority_is_good_for_ten_years_and_for_nodes_whose_clock_stands(tmp_path: Path) -> None:
    certificate = authority(tmp_path).certificate(NOW)

    years = (certificate.not_valid_after_utc.timestamp() - NOW) / DAY / 365.25
    assert 9.9 < years < 10.1
    assert certificate.not_valid_before_utc < datetime.datetime(1971, 1, 1, tzinfo=datetime.UTC)
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_the_authority_stays_the_same_file(tmp_path: Path) -> None:
    authority(tmp_path).certificate(NOW)
    before = (tmp_path / CA_FILE).read_bytes()

    authority(tmp_path).certificate(NOW + 8 * 365 * DAY)

    assert (tmp_path / CA_FILE).read_bytes() == before


def test_a_damaged_authority_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / CA_FILE).write_text("nothing")

    with pytest.raises(IntegrityError) as caught:
        authority(tmp_path).certificate(NOW)

    assert str(caught.value.hint).startswith("rm ")


def test_the_certificate_names_every_name_and_address_of_the_head_node(tmp_path: Path) -> None:
    own(tmp_path).refresh(NOW)

    names = shown(tmp_path).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["head", "provisioner"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1", "fd00::1"]
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("days", "renewed"), [(0, False), (200, False), (250, True), (500, True)])
def test_it_is_renewed_by_itself_four_months_before_it_ends(tmp_path: Path, days: int, renewed: bool) -> None:
    assert own(tmp_path).refresh(NOW)

    assert own(tmp_path).refresh(NOW + days * DAY) is renewed


def test_another_address_of_the_head_node_means_another_certificate(tmp_path: Path) -> None:
    own(tmp_path).refresh(NOW)

    assert own(tmp_path, "10.0.0.2").refresh(NOW)


@pytest.mark.parametrize("name", [CERTIFICATE_FILE, KEY_FILE])
def test_a_certificate_of_which_half_is_gone_is_made_again(tmp_path: Path, name: str) -> None:
    own(tmp_path).refresh(NOW)
    (tmp_path / name).unlink()

    assert own(tmp_path).refresh(NOW)


def test_a_damaged_certificate_is_made_again(tmp_path: Path) -> None:
    own(tmp_path).refresh(NOW)
    (tmp_path / CERTIFICATE_FILE).write_text("nothing")

    assert own(tmp_path).refresh(NOW)


def test_a_certificate_from_elsewhere_is_read_again_when_its_files_change(tmp_path: Path) -> None:
    own(tmp_path).refresh(NOW)
    given = GivenCertificate(tmp_path / CERTIFICATE_FILE, tmp_path / KEY_FILE, None)

    assert given.refresh(NOW)
    assert not given.refresh(NOW)
    own(tmp_path, "10.0.0.2").refresh(NOW)
    assert given.refresh(NOW)


def test_a_certificate_from_elsewhere_that_cannot_be_used_says_which(tmp_path: Path) -> None:
    own(tmp_path).refresh(NOW)
    (tmp_path / "bad.crt").write_text("nothing")

    for name in ("bad.crt", "missing.crt"):
        with pytest.raises(ConfigError, match=name):
            GivenCertificate(tmp_path / name, tmp_path / KEY_FILE, None).refresh(NOW)
