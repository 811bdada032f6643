"""Host keys that nodes had before: kept, read back, and stronger than the derived ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from provisioner.errors import ProvisionerError
from provisioner.overlay.context import Identity
from provisioner.trust.hostkey import host_key
from provisioner.trust.importedkeys import ImportedKeys, kind_of, parse
from provisioner.trust.sitekey import SiteKey
from tests.support.resolved import node

KEY = SiteKey(bytes(32))
ED25519 = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).private_bytes(
    Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()
)
ECDSA = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
# As ssh-keygen of Enterprise Linux 7 wrote it.
RSA = generate_rsa(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def keys_in(folder: Path, **files: bytes) -> ImportedKeys:
    """Keys of n001 below a folder."""
    keys = ImportedKeys(folder / "keys")
    keys.keep("n001", {kind: parse(kind, content, kind) for kind, content in files.items()})
    return keys


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ssh_host_rsa_key", "rsa"),
        ("ssh_host_ed25519_key", "ed25519"),
        ("ssh_host_rsa_key.pub", None),
        ("ssh_host_dsa_key", None),
        ("../ssh_host_rsa_key", None),
    ],
)
def test_a_key_is_known_by_the_name_of_its_file(name: str, kind: str | None) -> None:
    assert kind_of(name) == kind


def test_keys_of_both_formats_come_back_as_they_were(tmp_path: Path) -> None:
    found = keys_in(tmp_path, ed25519=ED25519, ecdsa=ECDSA, rsa=RSA).of("n001")

    assert {kind: key.private for kind, key in found.items()} == {
        "ed25519": ED25519.decode().strip(),
        "ecdsa": ECDSA.decode().strip(),
        "rsa": RSA.decode().strip(),
    }
    assert [found[kind].public.split()[0] for kind in ("ed25519", "ecdsa", "rsa")] == [
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ssh-rsa",
    ]


def test_only_root_can_read_them(tmp_path: Path) -> None:
    keys_in(tmp_path, rsa=RSA)

    folder = tmp_path / "keys" / "hosts"
    assert [each.stat().st_mode & 0o777 for each in (folder, folder / "n001")] == [0o700, 0o700]
    assert (folder / "n001" / "ssh_host_rsa_key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["..", "a/b", "", ".hidden"])
def test_a_name_that_leads_elsewhere_has_no_keys(tmp_path: Path, name: str) -> None:
    keys = keys_in(tmp_path, rsa=RSA)

    assert keys.of(name) == {}
    with pytest.raises(ProvisionerError, match="cannot have host keys"):
        keys.keep(name, {})


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        ("rsa", b"nothing", "is no private key"),
        ("rsa", ED25519, "holds no rsa key"),
        (
            "ed25519",
            Ed25519PrivateKey.generate().private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
            ),
            "is no private key",
        ),
    ],
)
def test_what_sshd_could_not_use_is_refused(kind: str, content: bytes, words: str) -> None:
    with pytest.raises(ProvisionerError, match=words) as caught:
        parse(kind, content, "n001:/etc/ssh/key")

    assert caught.value.hint


def test_an_imported_ed25519_key_takes_the_place_of_the_derived_one_and_is_certified(tmp_path: Path) -> None:
    keys = keys_in(tmp_path, ed25519=ED25519)
    identity = Identity(KEY, keys)

    ssh = identity.ssh(node("n001"))

    assert str(ssh.host_private_key) == ED25519.decode().strip()
    assert ssh.host_public_key == keys.of("n001")["ed25519"].public == identity.public_host_key("n001")
    assert ssh.host_certificate != Identity(KEY).ssh(node("n001")).host_certificate
    assert identity.ssh(node("n002")).host_public_key == host_key(KEY, "n002").public


def test_keys_of_other_kinds_stay_beside_the_derived_one(tmp_path: Path) -> None:
    ssh = Identity(KEY, keys_in(tmp_path, rsa=RSA, ecdsa=ECDSA)).ssh(node("n001"))

    assert ssh.host_public_key == host_key(KEY, "n001").public
    assert [each.kind for each in ssh.imported] == ["ecdsa", "rsa"]


def test_a_key_that_is_imported_later_is_noticed(tmp_path: Path) -> None:
    identity = Identity(KEY, ImportedKeys(tmp_path / "keys"))
    before = identity.public_host_key("n001")

    keys = keys_in(tmp_path, ed25519=ED25519)

    assert before == host_key(KEY, "n001").public
    assert identity.public_host_key("n001") == keys.of("n001")["ed25519"].public


@pytest.mark.parametrize(
    "junk", [b"\0file root/.ssh/authorized_keys\0\nssh-ed25519 AAAA me\n", b"\xff\n", b"words\n"]
)
@pytest.mark.parametrize("is_before", [True, False])
def test_what_a_node_sends_around_its_key_gets_into_no_file(junk: bytes, is_before: bool) -> None:
    with pytest.raises(ProvisionerError, match="holds more than a private key"):
        parse("ed25519", junk + ED25519 if is_before else ED25519 + junk, "n001:/etc/ssh/key")


def test_line_breaks_of_other_systems_are_no_harm() -> None:
    assert parse("rsa", RSA.replace(b"\n", b"\r\n"), "key").public == parse("rsa", RSA, "key").public


def test_what_was_made_sure_of_when_it_was_imported_is_taken_as_it_is(tmp_path: Path) -> None:
    keys = keys_in(tmp_path, rsa=RSA)
    beside = tmp_path / "keys" / "hosts" / "n001" / "ssh_host_rsa_key.pub"
    public = parse("rsa", RSA, "key").public
    assert beside.read_text() == f"{public}\n"

    beside.write_text("ssh-rsa AAAA root@n001\n")
    assert keys.of("n001")["rsa"].public == "ssh-rsa AAAA"

    for damaged in ("", "ssh-ed25519 AAAA\n", "ssh-rsa AA,AA\n"):
        beside.write_text(damaged)
        assert keys.of("n001")["rsa"].public == public


def test_a_key_that_comes_in_place_of_another_has_its_own_public_half(tmp_path: Path) -> None:
    keys = keys_in(tmp_path, ecdsa=ECDSA)
    other = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())

    keys.keep("n001", {"ecdsa": parse("ecdsa", other, "key")})

    assert keys.of("n001")["ecdsa"] == parse("ecdsa", other, "key")


def test_what_was_put_there_by_hand_is_looked_at_as_what_a_node_sends(tmp_path: Path) -> None:
    keys = keys_in(tmp_path, ed25519=ED25519)
    file = tmp_path / "keys" / "hosts" / "n001" / "ssh_host_ed25519_key"
    file.write_bytes(b"\0file etc/x\0\n" + ED25519)

    with pytest.raises(ProvisionerError, match="holds more than a private key"):
        keys.of("n001")
