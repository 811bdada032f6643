"""SSH host keys that nodes had before: kept for each node, and stronger than the derived ones.

Below `keys/hosts/NODE/`, for root only, as OpenSSH names them: `ssh_host_rsa_key` and so on. The public halves lie
beside them, because to load an RSA key and make sure of it takes a tenth of a second.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from provisioner.errors import ProvisionerError
from provisioner.host.files import make_folder, write_atomically
from provisioner.trust.hostkey import HostKey

KINDS = ("ed25519", "ecdsa", "rsa")
LARGEST = 16 << 10

# Nothing around the key: a node sends it, and templates print it with its lines.
_ARMOR = re.compile(rb"-----BEGIN ([A-Z ]+)-----\r?\n([A-Za-z0-9+/=]+\r?\n)+-----END \1-----")
_FILE = re.compile(rf"ssh_host_(?P<kind>{'|'.join(KINDS)})_key")
_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,254}")
_PUBLIC = {
    "ed25519": re.compile(r"ssh-ed25519 [A-Za-z0-9+/]+=*"),
    "ecdsa": re.compile(r"ecdsa-sha2-nistp[0-9]{3} [A-Za-z0-9+/]+=*"),
    "rsa": re.compile(r"ssh-rsa [A-Za-z0-9+/]+=*"),
}
_TYPES = {"ed25519": Ed25519PrivateKey, "ecdsa": EllipticCurvePrivateKey, "rsa": RSAPrivateKey}


class ImportedKeys:
    """The host keys of nodes below a folder, read when they are asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "hosts"

    @property
    def stamp(self) -> int:
        """Another number whenever a node gets keys, or loses all of them; 0 where no node has any."""
        try:
            return self._folder.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def of(self, node: str, kinds: Iterable[str] = KINDS) -> dict[str, HostKey]:
        """The keys of a node by their kind (ed25519, ecdsa, rsa). Raises ProvisionerError for a damaged one."""
        folder = self._folder / node
        if not _NODE.fullmatch(node) or not folder.is_dir():
            return {}
        files = {kind: folder / f"ssh_host_{kind}_key" for kind in kinds}
        return {kind: _kept(kind, file) for kind, file in files.items() if file.exists()}

    def keep(self, node: str, keys: Mapping[str, HostKey]) -> None:
        """Keep the keys of a node, in the place of those that it has here."""
        if not _NODE.fullmatch(node):
            raise ProvisionerError(f"{node!r} cannot have host keys: it is no name of a node")
        folder = self._folder / node
        for each in (self._folder.parent, self._folder, folder):
            make_folder(each)
            each.chmod(0o700)
        for kind, key in keys.items():
            file = folder / f"ssh_host_{kind}_key"
            # Never one of these with the other half of an older key, wherever this ends.
            _beside(file).unlink(missing_ok=True)
            write_atomically(file, key.private.encode() + b"\n", mode=0o600)
            write_atomically(_beside(file), key.public.encode() + b"\n", mode=0o600)
        # Its time tells that something changed.
        self._folder.touch()


def _kept(kind: str, file: Path) -> HostKey:
    content = file.read_bytes().strip()
    public = ""
    with suppress(FileNotFoundError, UnicodeDecodeError):
        # What sshd-keygen wrote ends with a comment.
        public = " ".join(_beside(file).read_text().split()[:2])
    if _ARMOR.fullmatch(content) and _PUBLIC[kind].fullmatch(public):
        return HostKey(content.decode(), public)
    return parse(kind, content, str(file))


def _beside(file: Path) -> Path:
    return file.with_name(f"{file.name}.pub")


def kind_of(name: str) -> str | None:
    """The kind of key in a file of /etc/ssh with this name; None for any other file."""
    found = _FILE.fullmatch(name)
    return found["kind"] if found else None


def parse(kind: str, content: bytes, where: str) -> HostKey:
    """A private key file as sshd reads it, of OpenSSH or PEM. ProvisionerError for anything else."""
    load = load_ssh_private_key if b"OPENSSH PRIVATE KEY" in content else load_pem_private_key
    try:
        key = load(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        hint = "take the file of the node's /etc/ssh as it is; keys with a passphrase are of no use to sshd"
        raise ProvisionerError(f"{where} is no private key: {error}", hint=hint) from None
    if not isinstance(key, _TYPES[kind]):
        raise ProvisionerError(f"{where} holds no {kind} key", hint="keep the names that sshd-keygen gave them")
    if not _ARMOR.fullmatch(content.strip()):
        raise ProvisionerError(f"{where} holds more than a private key", hint="leave the lines of the key only")
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return HostKey(content.decode().strip(), public)
