"""The secrets of the site: files that only root reads, or credentials that systemd hands over (systemd.exec(5)).

They are no part of a revision: nothing keeps them but their own file, and a change of one holds from the next
time that it is used.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from provisioner.errors import NotFoundError, Problem, ProvisionerError, UnavailableError
from provisioner.host.files import make_folder, sync_directory, write_atomically
from provisioner.model.secret import is_secret_name, reference

FOLDER = "secrets"
"""The folder of the site."""
LARGEST = 1 << 20
"""How many bytes a secret may have."""

_CREDENTIALS = "CREDENTIALS_DIRECTORY"
_PREFIX = "provisioner.secret."
_FOLDER_PREFIX = "provisioner.secret_"
_FOLDER_MODE = 0o700
_FILE_MODE = 0o600
# Permission bits of everybody but the owner.
_OTHERS = 0o077


class Shape(StrEnum):
    """What of a secret decides where it can be printed."""

    LINE = "line"
    LINES = "lines"
    BYTES = "bytes"

    @classmethod
    def of(cls, content: bytes) -> Shape:
        """The shape of some bytes; a line break at their end is none of their lines."""
        try:
            text = content.decode()
        except UnicodeDecodeError:
            return cls.BYTES
        if "\0" in text:
            return cls.BYTES
        return cls.LINES if "\n" in text.removesuffix("\n") else cls.LINE


@dataclass(frozen=True, slots=True)
class SecretFolder:
    """The secrets of one site. A credential goes before the file of the same name."""

    folder: Path
    credentials: Path | None = None
    is_real = True
    refusal = None

    @classmethod
    def of(cls, site: Path, environment: Mapping[str, str] | None = None) -> SecretFolder:
        """Those of a site's folder, and the credentials that this process was started with."""
        found = (os.environ if environment is None else environment).get(_CREDENTIALS)
        return cls(site / FOLDER, Path(found) if found else None)

    def content(self, name: str) -> bytes:
        """The bytes of a secret. NotFoundError when there is none, UnavailableError when it may not be read."""
        _demanded(name)
        try:
            place = self._place(name)
            if place is None:
                raise NotFoundError(f"there is no secret {name}", hint=f"prov secret set {name}")
            return _read(place)
        except PermissionError:
            hint = f"run as root, or hand it over: LoadCredential={_PREFIX}{name}:{self.folder / name}"
            raise UnavailableError(f"the secret {name} may not be read by this user", hint=hint) from None
        except OSError as error:
            message = f"the secret {name} cannot be read: {error.strerror or error}"
            raise UnavailableError(message, hint=f"prov secret set {name}") from None

    def revealed(self, value: str) -> str:
        """The text that a value names (`secret:NAME`), without the line break at its end, or the value itself.

        Raises what `content` raises, and ProvisionerError for what is no text.
        """
        name = reference(value)
        if name is None:
            return str.__str__(value)
        try:
            return self.content(name).decode().removesuffix("\n")
        except UnicodeDecodeError:
            raise ProvisionerError(f"the secret {name} is no text", hint=f"prov secret set {name}") from None

    def has(self, name: str) -> bool:
        """Whether there is something of that name; yes where nobody but root can tell."""
        _demanded(name)
        try:
            return self._place(name) is not None
        except OSError:
            return True

    def names(self) -> tuple[str, ...]:
        """Every secret in the folder, sorted; credentials are not listed. PermissionError for who may not look."""
        return tuple(sorted(name for name, status in self._entries() if _is_secret(name, status)))

    def shapes(self) -> Mapping[str, Shape | None]:
        """What shape each secret has; None for one that cannot be read, and nothing for who may not look."""
        found: dict[str, Shape | None] = {}
        with suppress(PermissionError):
            for name in self.names():
                found[name] = None
                with suppress(ProvisionerError):
                    found[name] = Shape.of(self.content(name))
        return found

    def status(self, name: str) -> os.stat_result:
        """Size and times of a secret's file. NotFoundError when there is none."""
        try:
            return (self.folder / _demanded(name)).stat()
        except FileNotFoundError:
            raise NotFoundError(f"there is no secret {name}", hint="prov secret list") from None

    def demand(self, name: str, content: bytes) -> None:
        """ProvisionerError for a bad name, and for too much or nothing; PermissionError for who may not look."""
        _demanded(name)
        if (self.folder / name).is_dir():
            raise ProvisionerError(
                f"{self.folder / name} is a folder", hint="move it away, or choose another name"
            )
        if not 0 < len(content) <= LARGEST:
            size = "is empty" if not content else f"has more than {LARGEST >> 20} MiB"
            raise ProvisionerError(f"the secret {name} {size}", hint=f"a secret has 1 to {LARGEST} bytes")

    def write(self, name: str, content: bytes) -> None:
        """Keep a secret, in place of what it was. Raises what `demand` raises."""
        self.demand(name, content)
        make_folder(self.folder, mode=_FOLDER_MODE)
        # Before the content is there: an older folder may be open to others.
        self.folder.chmod(_FOLDER_MODE)
        write_atomically(self.folder / name, content, mode=_FILE_MODE)

    def delete(self, name: str) -> None:
        """Remove a secret. NotFoundError when there is none."""
        self.status(name)
        (self.folder / name).unlink()
        sync_directory(self.folder)

    def problems(self) -> tuple[Problem, ...]:
        """What others than root could read, and what is no secret; nothing for who may not look."""
        with suppress(PermissionError):
            return tuple(sorted(self._problems()))
        return ()

    def _problems(self) -> Iterator[Problem]:
        with suppress(FileNotFoundError):
            status = self.folder.stat()
            if not stat.S_ISDIR(status.st_mode):
                message = "there is a file where a folder belongs"
                yield Problem(FOLDER, 0, 0, message, f"move it away: {self.folder}")
                return
            yield from _exposed(self.folder, FOLDER, status, _FOLDER_MODE)
        owners = {0, self.folder.parent.stat().st_uid} if self.folder.parent.exists() else {0}
        for name, status in self._entries():
            place, shown = self.folder / name, f"{FOLDER}/{name}"
            if not _is_secret(name, status):
                yield Problem(shown, 0, 0, "this is not a secret, and nothing reads it", f"move it away: {place}")
                continue
            yield from _exposed(place, shown, status, _FILE_MODE)
            if status.st_uid not in owners:
                yield Problem(shown, 0, 0, f"it belongs to uid {status.st_uid}", f"chown root: {place}")
            if not 0 < status.st_size <= LARGEST:
                message = f"it has {status.st_size} bytes; a secret has 1 to {LARGEST}"
                yield Problem(shown, 0, 0, message, f"prov secret set {name}")

    def _entries(self) -> Iterator[tuple[str, os.stat_result]]:
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(self.folder) as entries:
            for entry in entries:
                # A file that is being written has a dot before its name.
                if not entry.name.startswith("."):
                    with suppress(FileNotFoundError):
                        yield entry.name, _status(entry)

    def _place(self, name: str) -> Path | None:
        places = [self.folder / name]
        if self.credentials is not None:
            # Handed over one by one, or as a whole folder (systemd.exec(5), LoadCredential=).
            places[:0] = [self.credentials / f"{prefix}{name}" for prefix in (_PREFIX, _FOLDER_PREFIX)]
        for place in places:
            with suppress(FileNotFoundError, NotADirectoryError):
                place.stat()
                return place
        return None


def _status(entry: os.DirEntry[str]) -> os.stat_result:
    """What a name leads to; of a link that leads nowhere the link itself, which is no secret."""
    try:
        return entry.stat()
    except PermissionError:
        raise
    except OSError:
        return entry.stat(follow_symlinks=False)


def _read(place: Path) -> bytes:
    # A named pipe would hold the reader.
    handle = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(0, "it is not a regular file")
        content = stream.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise OSError(0, f"it has more than {LARGEST >> 20} MiB")
    return content


def _demanded(name: str) -> str:
    if not is_secret_name(name):
        hint = "letters, digits, '-', '_', '.', at most 63"
        raise ProvisionerError(f"{name!r} cannot be the name of a secret", hint=hint)
    return name


def _is_secret(name: str, status: os.stat_result) -> bool:
    return is_secret_name(name) and stat.S_ISREG(status.st_mode)


def _exposed(place: Path, shown: str, status: os.stat_result, wanted: int) -> Iterator[Problem]:
    mode = stat.S_IMODE(status.st_mode)
    if mode & _OTHERS:
        message = f"others than its owner may use it (mode {mode:04o})"
        yield Problem(shown, 0, 0, message, f"chmod {wanted:04o} {place}")
