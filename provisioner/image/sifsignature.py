"""Who signed a SIF file, and whether it is still what they signed.

A signature is an OpenPGP clear-signed document: digests of the header, of descriptors and of objects
(https://github.com/apptainer/sif, pkg/integrity). Digests are always compared; whose key it is, gpgv tells where
there is a keyring.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioner.errors import CommandError, IntegrityError, NotFoundError, ProvisionerError
from provisioner.host.run import run
from provisioner.image.sif import Descriptor, Sif, Type

_LIMIT = 1 << 20
_ALGORITHMS = {"sha256", "sha384", "sha512", "blake2s", "blake2b"}
_BEGIN = "-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE = "-----BEGIN PGP SIGNATURE-----"
# What Singularity signed before version 3.6: a digest of the group, without its descriptors.
_LEGACY = b"SIFHASH"
_ARMOR = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"


@dataclass(frozen=True, slots=True)
class _Signature:
    """One signature: the fingerprint that it names, its document, and what it signs."""

    fingerprint: str
    document: bytes
    link: int
    by_group: bool


def check(sif: Sif, root: Descriptor, *, keyring: Path | None, unsigned: bool) -> str:
    """What is known of who signed the root of a file, in words.

    With a keyring it has to be signed by one of its keys, unless `unsigned` allows that nobody did. Raises
    IntegrityError for a file that is not what was signed, or is signed by nobody known, and NotFoundError for a
    keyring that is not there.
    """
    if keyring is not None and not keyring.is_file():
        raise NotFoundError(f"there is no keyring {keyring}")
    found = [_read(sif, each) for each in sif.of_type(Type.SIGNATURE)]
    covering = [each for each in found if each.link == (root.group if each.by_group else root.id)]
    if not covering:
        if keyring is not None and not unsigned:
            hint = "apptainer sign FILE signs it; --unsigned imports it all the same"
            raise IntegrityError(f"nobody signed the root of {sif.path}", hint=hint)
        return "not signed"
    return _judged(sif, root, covering, keyring)


def _judged(sif: Sif, root: Descriptor, signatures: list[_Signature], keyring: Path | None) -> str:
    words = []
    for each in signatures:
        text = _clear_text(each.document)
        if text is None or text.startswith(_LEGACY):
            words.append(f"signed by {each.fingerprint} in a form that cannot be verified")
            continue
        if keyring is not None:
            signer, text = _verified(each.document, keyring, sif.path)
            words.insert(0, f"signed by {signer}, verified with {keyring}")
        else:
            words.append(f"signed by {each.fingerprint}, not verified")
        _compare(sif, root, text)
    if keyring is not None and not words[0].endswith(f"verified with {keyring}"):
        raise IntegrityError(
            f"the signature of {sif.path} cannot be verified: it is no clear-signed OpenPGP document"
        )
    return "; ".join(words)


def _read(sif: Sif, descriptor: Descriptor) -> _Signature:
    # The extra field: an int32 that names the digest, and the fingerprint.
    fingerprint = descriptor.extra[4:24].hex().upper()
    return _Signature(fingerprint, sif.read(descriptor, limit=_LIMIT), descriptor.link, descriptor.by_group)


def _clear_text(document: bytes) -> bytes | None:
    """The text of a clear-signed document (RFC 9580 section 7), or None for one of another kind."""
    text = document.decode(errors="replace").replace("\r\n", "\n")
    if not text.startswith(_BEGIN) or _SIGNATURE not in text:
        return None
    _, _, body = text.partition("\n\n")
    lines = body.partition(f"\n{_SIGNATURE}")[0].split("\n")
    return "\n".join(line.removeprefix("- ") for line in lines).encode()


def _verified(document: bytes, keyring: Path, path: Path) -> tuple[str, bytes]:
    """The fingerprint of the key that signed, and the text that it signed."""
    with tempfile.TemporaryDirectory(prefix="prov-keys-") as folder:
        keys, signed, text = (Path(folder, name) for name in ("keys.gpg", "signed", "text"))
        keys.write_bytes(_binary(keyring))
        signed.write_bytes(document)
        command: list[str | Path] = ["gpgv", "--status-fd", "1", "--keyring", keys, "--output", text, signed]
        try:
            status = run(command, timeout=60, environment={"GNUPGHOME": folder})
        except CommandError as error:
            raise IntegrityError(
                f"the signature of {path} is not one of {keyring}: {error.output.splitlines()[-1:]}",
                hint="add the signer's key to the keyring when you trust it; the file may have been changed",
            ) from None
        valid = re.search(r"^\[GNUPG:\] VALIDSIG ([0-9A-F]{40})", status, re.MULTILINE)
        if valid is None or not text.is_file():
            raise IntegrityError(f"the signature of {path} is not valid")
        return valid[1], text.read_bytes()


def _binary(keyring: Path) -> bytes:
    """A keyring as gpgv wants it, from what `gpg --export` or `gpg --export --armor` wrote."""
    content = keyring.read_bytes()
    if not content.lstrip().startswith(_ARMOR):
        return content
    body = content.replace(b"\r\n", b"\n").split(_ARMOR, 1)[1].partition(b"\n\n")[2].partition(b"\n=")[0]
    try:
        return base64.b64decode(body)
    except binascii.Error:
        raise ProvisionerError(f"{keyring} is no keyring of OpenPGP", hint="gpg --export KEY > FILE") from None


def _compare(sif: Sif, root: Descriptor, text: bytes) -> None:
    """IntegrityError unless everything that was signed is as it was, and the root is part of it."""
    try:
        document = json.loads(text)
        header, objects = document["header"]["digest"], document["objects"]
        first = min(each.id for each in sif.descriptors if each.group == root.group)
        known = {each.id - first: each for each in sif.descriptors if each.group == root.group}
        changed = [] if _fits(header, sif.signed_header) else ["its header"]
        covered = set()
        for each in objects:
            covered.add(each["relativeId"])
            found = known.get(each["relativeId"])
            if found is None or not _same(sif, found, each):
                changed.append(f"object {each['relativeId'] + first}")
    except (ValueError, KeyError, TypeError, RecursionError, struct.error):
        raise IntegrityError(f"the signature of {sif.path} signs no digests of a SIF file") from None
    if root.id - first not in covered:
        changed.append("its root, which was not signed")
    if changed:
        raise IntegrityError(f"{sif.path} was changed after it was signed: {', '.join(changed)}")


def _same(sif: Sif, found: Descriptor, signed: dict[str, Any]) -> bool:
    algorithm, _, value = str(signed["objectDigest"]).partition(":")
    if algorithm not in _ALGORITHMS or not _fits(
        signed["descriptorDigest"], found.signed_part(signed["relativeId"])
    ):
        return False
    return sif.digest(found, algorithm) == value


def _fits(digest: object, content: bytes) -> bool:
    algorithm, _, value = str(digest).partition(":")
    return algorithm in _ALGORITHMS and hashlib.new(algorithm, content).hexdigest() == value
