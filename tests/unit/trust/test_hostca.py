"""The authority for host keys: an independent library reads and verifies what it signs."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import (
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
    load_ssh_public_key,
)
from hypothesis import given
from hypothesis import strategies as st

from provisioner.trust.hostca import HostAuthority
from provisioner.trust.hostkey import host_key
from provisioner.trust.sitekey import SiteKey

KEY = SiteKey(b"k" * 32)
NAMES = ("n001", "n001.cluster.local", "10.0.1.1")


def certificate(key: SiteKey = KEY, *, names: tuple[str, ...] = NAMES, epoch: int = 1) -> str:
    return HostAuthority(key, epoch=epoch).certificate("n001", host_key(key, "n001").public, names)


def read(line: str) -> SSHCertificate:
    identity = load_ssh_public_identity(line.encode())
    assert isinstance(identity, SSHCertificate)
    return identity


def test_a_certificate_is_for_a_host_with_these_names_and_for_ever() -> None:
    found = read(certificate())

    assert (found.type, found.key_id) == (SSHCertificateType.HOST, b"n001")
    assert found.valid_principals == [name.encode() for name in NAMES]
    assert (found.valid_after, found.valid_before) == (0, 2**64 - 1)
    assert (found.critical_options, found.extensions) == ({}, {})


def test_a_certificate_holds_the_host_key_and_the_signature_of_the_authority() -> None:
    found = read(certificate())

    found.verify_cert_signature()
    assert found.public_key() == load_ssh_public_key(host_key(KEY, "n001").public.encode())
    assert found.signature_key() == load_ssh_public_key(HostAuthority(KEY).public.encode())


@given(names=st.lists(st.from_regex(r"\A[a-z0-9.:-]{1,60}\Z"), min_size=1, max_size=20))
def test_any_names_can_be_certified(names: list[str]) -> None:
    found = read(certificate(names=tuple(names)))

    found.verify_cert_signature()
    assert found.valid_principals == [name.encode() for name in names]


def test_a_changed_byte_breaks_the_signature() -> None:
    line = certificate()
    changed = line.replace(line[300:304], "AAAB" if line[300:304] != "AAAB" else "AAAC")

    with pytest.raises((InvalidSignature, ValueError)):
        read(changed).verify_cert_signature()


def test_every_head_makes_the_same_certificate() -> None:
    assert certificate() == certificate(SiteKey(b"k" * 32))


def test_another_site_and_another_epoch_have_another_authority() -> None:
    publics = {
        HostAuthority(KEY).public,
        HostAuthority(KEY, epoch=2).public,
        HostAuthority(SiteKey(b"x" * 32)).public,
    }

    assert len(publics) == 3


def test_a_key_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="n001 is no Ed25519 key"):
        HostAuthority(KEY).certificate("n001", "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAA", NAMES)
