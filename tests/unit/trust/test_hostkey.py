"""SSH host keys: the same on every head, another one for every node and epoch."""

from __future__ import annotations

from base64 import b64decode

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

from provisioner.trust.hostkey import host_key
from provisioner.trust.sitekey import SiteKey

KEY = SiteKey(b"k" * 32)


def test_the_same_node_always_gets_the_same_text() -> None:
    assert host_key(KEY, "n001").private == host_key(SiteKey(b"k" * 32), "n001").private


def test_another_node_and_another_epoch_get_another_key() -> None:
    keys = {host_key(KEY, "n001").public, host_key(KEY, "n002").public, host_key(KEY, "n001", epoch=2).public}

    assert len(keys) == 3


def test_the_private_text_holds_the_key_of_the_public_line() -> None:
    pair = host_key(KEY, "n001")

    loaded = load_ssh_private_key(pair.private.encode(), password=None)

    assert loaded.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() == pair.public
    assert b64decode(pair.public.split()[1]).startswith(b"\0\0\0\x0bssh-ed25519")


def test_a_pair_does_not_show_its_private_half() -> None:
    assert "PRIVATE" not in repr(host_key(KEY, "n001"))
