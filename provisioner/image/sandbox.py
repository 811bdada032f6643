"""The process that applies one layer: it locks itself into the tree, so that no path can lead out of it.

Run as `python -m provisioner.image.sandbox REQUEST` by `image.unpack`, as root. It prints one line of JSON.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import resource
import sys
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, cast

from provisioner.errors import IntegrityError, ProvisionerError
from provisioner.host.run import spawn
from provisioner.image.layer import Applier, Limits

# Hostile archives make the reader keep huge headers; this is far more than an honest layer takes.
_MEMORY = 512 << 20
_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """One layer to apply: its blob and compression ("gzip", "zstd", "none"), the tree, and the expected digest."""

    blob: str
    compression: str
    root: str
    diff_id: str
    created: int
    keep_selinux: bool
    limits: Limits

    def encode(self) -> str:
        """The request as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str) -> Request:
        """The request in a JSON text."""
        fields: dict[str, Any] = json.loads(text)
        return cls(**{**fields, "limits": Limits(**fields["limits"])})


@dataclass(frozen=True, slots=True)
class Report:
    """What applying a layer came to: `error` is empty when all went well, `newest` is the latest time in it."""

    error: str = ""
    entries: int = 0
    size: int = 0
    newest: int = 0
    warnings: tuple[str, ...] = ()

    def encode(self) -> str:
        """The report as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str) -> Report:
        """The report in a JSON text."""
        fields: dict[str, Any] = json.loads(text)
        return cls(**{**fields, "warnings": tuple(fields["warnings"])})


class _Checked:
    """Reads a stream, takes its digest and stops one that never ends."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self.sha256 = hashlib.sha256()
        self._stream = stream
        self._left = limit

    def read(self, size: int = _BUFFER) -> bytes:
        chunk = self._stream.read(size)
        self.sha256.update(chunk)
        self._left -= len(chunk)
        if self._left < 0:
            raise IntegrityError("the layer unpacks to more bytes than an image may have")
        return chunk


def apply(request: Request) -> Report:
    """Apply a layer and verify the digest of its unpacked archive. Locks this process into the tree for good."""
    with _decompressed(Path(request.blob), request.compression) as stream:
        _confine(request.root)
        # Headers and padding come on top of the data: at most two blocks an entry in honest archives.
        checked = _Checked(stream, request.limits.size + request.limits.entries * 1024)
        applier = Applier(limits=request.limits, created=request.created, keep_selinux=request.keep_selinux)
        source = cast(IO[bytes], checked)
        with tarfile.open(fileobj=source, mode="r|", encoding="utf-8", errors="surrogateescape") as archive:
            applier.apply(archive)
        while checked.read():
            pass
    found = f"sha256:{checked.sha256.hexdigest()}"
    if found != request.diff_id:
        raise IntegrityError(f"the unpacked layer is {found}, the image says {request.diff_id}")
    return Report("", applier.entries, applier.size, applier.newest, tuple(applier.warnings))


def main(arguments: list[str]) -> int:
    """Apply the layer of the request in the first argument and print the report."""
    try:
        report = apply(Request.decode(arguments[0]))
    except ProvisionerError as error:
        report = Report(error.message)
    except (OSError, ValueError, OverflowError, EOFError, tarfile.TarError, zlib.error) as error:
        report = Report(f"the layer cannot be applied: {error}")
    except (MemoryError, RecursionError) as error:
        report = Report(f"the layer has headers of absurd size ({type(error).__name__})")
    sys.stdout.write(report.encode())
    return 0


def _confine(root: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    os.umask(0)
    os.chroot(root)
    os.chdir("/")


@contextmanager
def _decompressed(blob: Path, compression: str) -> Iterator[IO[bytes]]:
    if compression == "zstd":
        with _zstd(blob) as stream:
            yield stream
    elif compression == "gzip":
        with gzip.open(blob) as unzipped:
            yield cast(IO[bytes], unzipped)
    else:
        with blob.open("rb") as plain:
            yield plain


@contextmanager
def _zstd(blob: Path) -> Iterator[IO[bytes]]:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stream:
        with os.fdopen(writer, "wb") as target, Path(os.devnull).open("wb") as null:
            process = spawn(["zstd", "-dcq", "--", blob], stdout=target, stderr=null)
        yield stream
    if process.wait() != 0:
        raise IntegrityError(f"{blob.name} is no sound zstd data")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
