"""The archive: every part censored, in one folder, for its owner alone."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.errors import ConflictError
from provisioner.operations.support.censor import BLACK, Censor
from provisioner.operations.support.contents import parts, secrets_of

_README = f"""\
Made by `prov support`. Look through it before you send it.

In it are versions, what prov doctor says, what the daemon says of itself, the newest events, the images, the
YAML files of the site, a list of all its files, the journal of the service, and this machine's addresses,
sockets, packet filter and disks.

Not in it are secrets, keys, overlays, templates and images. Where one of the site's secrets stood in a text, or
something with the shape of a password, a key or a token, there is {BLACK} now. Names, addresses and MACs of
nodes are in it: without them nobody can tell what happened.
"""


def write_support(paths: Paths, file: Path) -> list[str]:
    """Write the archive (tar with gzip), mode 0600, and return the names of its parts.

    Raises ConflictError when the file is there already, and OSError when it cannot be written.
    """
    censor = Censor(secrets_of(paths))
    texts = [("README.txt", _README), *((name, censor.apply(text)) for name, text in parts(paths))]
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise ConflictError(f"{file} exists already", hint="name another one: --output FILE") from None
    with os.fdopen(handle, "wb") as stream, tarfile.open(fileobj=stream, mode="w:gz") as archive:
        _add(archive, file.name.partition(".")[0], texts)
    return [name for name, _ in texts]


def _add(archive: tarfile.TarFile, folder: str, texts: Iterable[tuple[str, str]]) -> None:
    for name, text in texts:
        content = text.encode(errors="replace")
        entry = tarfile.TarInfo(f"{folder}/{name}")
        entry.size, entry.mode = len(content), 0o600
        archive.addfile(entry, io.BytesIO(content))
