"""SIF files made to measure: good, odd, signed and damaged ones, with a squashfs of a small tree."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

_HEADER = struct.Struct("<32s10s3s3s16s8q")
_DESCRIPTOR = struct.Struct("<i?IIIqqqqqqq128s384s")
_DATA = 32768
_GROUP = 0xF0000001
MTIME = 1_600_000_000


@dataclass
class Sif:
    """A SIF file that grows object by object; all objects are of group 1, numbered from 1."""

    architecture: bytes = b"02\0"
    objects: list[tuple[bytes, bytes]] = field(default_factory=list)
    header: bytes = b""

    def partition(self, content: bytes, *, system: int = 1, kind: int = 2) -> Sif:
        """Add a partition (the squashfs of the root unless told otherwise) and return the file."""
        return self.add(0x4004, content, extra=struct.pack("<ii3s", system, kind, self.architecture))

    def add(self, kind: int, content: bytes, *, extra: bytes = b"", link: int = 0, name: bytes = b"x") -> Sif:
        """Add an object and return the file."""
        number = len(self.objects) + 1
        offset = _DATA + sum(len(each) for _, each in self.objects)
        size, group = len(content), (0 if kind == 0x4005 else _GROUP)
        times = (size, MTIME, MTIME, 0, 0)
        descriptor = _DESCRIPTOR.pack(kind, True, number, group, link, offset, size, *times, name, extra)
        self.objects.append((descriptor, content))
        return self

    def done(self) -> bytes:
        """The finished file."""
        table = b"".join(descriptor for descriptor, _ in self.objects).ljust(48 * _DESCRIPTOR.size, b"\0")
        content = b"".join(content for _, content in self.objects)
        return (self._head() + bytes(4096 - 128) + table).ljust(_DATA, b"\0") + content

    def document(self) -> bytes:
        """What a signature of group 1 vouches for."""
        head = self._head()
        found = []
        for relative, (descriptor, content) in enumerate(self.objects):
            raw = _DESCRIPTOR.unpack(descriptor)
            kind, used, _, _, link, _, size, _, created, _, uid, gid, name, extra = raw
            part = struct.pack("<i?IIqqqq", kind, used, relative, link, size, created, uid, gid) + name + extra
            digests = {"descriptorDigest": _sha256(part), "objectDigest": _sha256(content)}
            found.append({"relativeId": relative, **digests})
        signed = {"version": 1, "header": {"digest": _sha256(head[:45] + head[48:64])}, "objects": found}
        return json.dumps(signed).encode()

    def sign(self, signer: Signer, document: bytes | None = None) -> Sif:
        """Add a signature of all objects so far, and return the file."""
        signed = signer.clear_sign(document or self.document())
        extra = struct.pack("<i", 5) + bytes.fromhex(signer.fingerprint)
        return self.add(0x4005, signed, extra=extra, link=_GROUP)

    def _head(self) -> bytes:
        name = uuid.UUID(int=7).bytes
        numbers = (MTIME, MTIME, 48 - len(self.objects), 48, 4096, 48 * _DESCRIPTOR.size, _DATA, 0)
        launch = b"#!/usr/bin/env run-singularity\n"
        return _HEADER.pack(launch, b"SIF_MAGIC\0", b"01\0", self.architecture, name, *numbers)


@dataclass(frozen=True, slots=True)
class Signer:
    """A throw-away key of OpenPGP, and its public part as a keyring."""

    home: Path
    fingerprint: str

    def clear_sign(self, text: bytes) -> bytes:
        """A clear-signed document."""
        return self._gpg("--clear-sign", stdin=text)

    def keyring(self, path: Path, *, armor: bool = False) -> Path:
        """Write the public key into a file."""
        path.write_bytes(self._gpg("--export", *(["--armor"] if armor else [])))
        return path

    def _gpg(self, *words: str, stdin: bytes = b"") -> bytes:
        return _gpg(self.home, *words, stdin=stdin)


@contextmanager
def signer() -> Iterator[Signer]:
    """A new key; its agent and its files are gone afterwards."""
    # The agent's socket has to fit into 108 bytes, so the folder is not below the test's own.
    with TemporaryDirectory(prefix="k", dir="/tmp") as folder:
        home = Path(folder)
        try:
            options = ("--passphrase", "", "--quick-generate-key", "toy@example.org", "ed25519", "sign", "never")
            _gpg(home, *options)
            listed = _gpg(home, "--with-colons", "--list-keys").decode()
            fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))
            yield Signer(home, fingerprint)
        finally:
            subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True, capture_output=True)


def _gpg(home: Path, *words: str, stdin: bytes = b"") -> bytes:
    command = ["gpg", "--homedir", str(home), "--batch", "--quiet", *words]
    return subprocess.run(command, input=stdin, capture_output=True, check=True).stdout


def squashfs(folder: Path, tree: Path, *options: str) -> bytes:
    """The squashfs of a tree."""
    output = folder / "made.squashfs"
    output.unlink(missing_ok=True)
    subprocess.run(
        ["mksquashfs", tree, output, "-quiet", "-no-progress", *options], check=True, capture_output=True
    )
    return output.read_bytes()


def envelope(payload: Mapping[str, Any]) -> bytes:
    """A signature in the newer form, DSSE, which is JSON."""
    encoded = base64.b64encode(json.dumps(payload).encode()).decode()
    return json.dumps({"payloadType": "x", "payload": encoded, "signatures": []}).encode()


def _sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
