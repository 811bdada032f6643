"""The process that applies one archive: it locks itself into the tree, so that no path can lead out of it.

Run as `python -m provisioner.image.sandbox REQUEST` by `image.confined`, as root. It prints one line of JSON.
"""

from __future__ import annotations

import bz2
import ctypes
import gzip
import hashlib
import json
import lzma
import os
import resource
import signal
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
_DEATH_SIGNAL = 1


@dataclass(frozen=True, slots=True)
class Request:
    """One archive to apply: its open file, its compression, the tree, and the digest that a layer must have.

    Without a digest it is no layer but a plain archive, in which nothing hides anything, and which has to end
    with its end mark: nothing else would tell that it was cut short.
    """

    source: int
    compression: str
    root: str
    diff_id: str | None
    created: int
    limits: Limits
    keep_selinux: bool = False

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
    """What applying an archive came to: `error` is empty when all went well, `newest` is the latest time in it."""

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
            raise IntegrityError("the archive unpacks to more bytes than an image may have")
        return chunk


class _Member(tarfile.TarInfo):
    """A header; one that is damaged or missing is an error, where tarfile would take it for the archive's end."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> _Member:
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined] # typeshed leaves it out
            raise
        except tarfile.HeaderError as error:
            raise IntegrityError(f"the archive is damaged or cut short: {error}") from None


def apply(request: Request) -> Report:
    """Apply an archive and verify the digest of a layer. Locks this process into the tree for good."""
    with _decompressed(request.source, request.compression) as stream:
        _confine(request.root)
        # Headers and padding come on top of the data: at most two blocks an entry in honest archives.
        checked = _Checked(stream, request.limits.size + request.limits.entries * 1024)
        plain = request.diff_id is None
        applier = Applier(
            limits=request.limits,
            created=request.created,
            keep_selinux=request.keep_selinux,
            whiteouts=not plain,
        )
        source = cast(IO[bytes], checked)
        kind = _Member if plain else tarfile.TarInfo
        with tarfile.open(
            fileobj=source, mode="r|", encoding="utf-8", errors="surrogateescape", tarinfo=kind
        ) as archive:
            applier.apply(archive)
        while checked.read():
            pass
    found = f"sha256:{checked.sha256.hexdigest()}"
    if request.diff_id not in (None, found):
        raise IntegrityError(f"the unpacked layer is {found}, the image says {request.diff_id}")
    return Report("", applier.entries, applier.size, applier.newest, tuple(applier.warnings))


def main(arguments: list[str]) -> int:
    """Apply the archive of the request in the first argument and print the report."""
    # Whoever started this may be killed; then nobody wants the tree any more.
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
    try:
        report = apply(Request.decode(arguments[0]))
    except ProvisionerError as error:
        report = Report(error.message)
    except (OSError, ValueError, OverflowError, EOFError, tarfile.TarError, zlib.error, lzma.LZMAError) as error:
        report = Report(f"the archive cannot be applied: {error}")
    except (MemoryError, RecursionError) as error:
        report = Report(f"the archive has headers of absurd size ({type(error).__name__})")
    sys.stdout.write(report.encode())
    return 0


def _confine(root: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    os.umask(0)
    os.chroot(root)
    os.chdir("/")


@contextmanager
def _decompressed(source: int, compression: str) -> Iterator[IO[bytes]]:
    with os.fdopen(source, "rb") as packed:
        if compression == "zstd":
            with _zstd(packed) as stream:
                yield stream
        elif compression == "gzip":
            with gzip.open(packed) as unzipped:
                yield cast(IO[bytes], unzipped)
        elif compression == "xz":
            with lzma.open(packed) as unpacked:
                yield cast(IO[bytes], unpacked)
        elif compression == "bzip2":
            with bz2.open(packed) as expanded:
                yield cast(IO[bytes], expanded)
        else:
            yield packed


@contextmanager
def _zstd(packed: IO[bytes]) -> Iterator[IO[bytes]]:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stream:
        with os.fdopen(writer, "wb") as target, Path(os.devnull).open("wb") as null:
            process = spawn(["zstd", "-dcq"], stdin=packed, stdout=target, stderr=null)
        yield stream
    if process.wait() != 0:
        raise IntegrityError("the archive is no sound zstd data")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
