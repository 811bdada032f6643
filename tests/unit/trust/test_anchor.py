"""What follows a stage 1: an archive that the kernel finds."""

from __future__ import annotations

import pytest

from provisioner.trust.anchor import FOLDER, anchor
from provisioner.trust.signing import SigningKeys
from provisioner.trust.sitekey import SiteKey

KEYS = SigningKeys(SiteKey(b"k" * 32))


@pytest.mark.parametrize("size", range(4))
def test_it_begins_where_the_kernel_looks_for_an_archive(size: int) -> None:
    found = anchor(KEYS, "debian-12@1", behind=size)

    assert (size + found.index(b"070701")) % 4 == 0
    assert set(found[: found.index(b"070701")]) <= {0}


def test_it_holds_both_keys_and_names_the_generation() -> None:
    found = anchor(KEYS, "debian-12@1", behind=0)

    assert all(key in found for key in KEYS.public())
    assert b"debian-12@1\n" in found
    assert f"{FOLDER}/ca.pem".encode() not in found


def test_the_authority_of_tls_goes_with_it() -> None:
    assert b"-----BEGIN" in anchor(KEYS, "debian-12@1", behind=0, authority=b"-----BEGIN CERTIFICATE-----")
