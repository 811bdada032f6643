"""Setting, listing and deleting the secrets of a site. None of them is ever shown."""

from __future__ import annotations

import os
import secrets
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from provisioner.config.emit import Writable
from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, ConflictError, NotFoundError, ProvisionerError
from provisioner.host.files import locked
from provisioner.host.run import run
from provisioner.host.who import who
from provisioner.model.nodeset import fold
from provisioner.operations.secretrefs import named_by_nodes
from provisioner.overlay.library import Library
from provisioner.overlay.memo import RenderMemo
from provisioner.overlay.source import WrittenFiles, overlay_names
from provisioner.registry.collect import collect
from provisioner.registry.compiler import obtain
from provisioner.registry.record import About, remark
from provisioner.render.environment import Renderer
from provisioner.trust.secrets import LARGEST, SecretFolder

_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class SecretInfo:
    """What may be told of a secret. `changed` is Unix seconds, `used_by` are overlays, and fields of nodes."""

    name: str
    size: int
    changed: float
    used_by: tuple[str, ...]

    def record(self) -> dict[str, Writable]:
        """Plain data, with the time in local time."""
        changed = datetime.fromtimestamp(self.changed, UTC).astimezone().isoformat(timespec="seconds")
        return {"name": self.name, "bytes": self.size, "changed": changed, "used_by": list(self.used_by)}


def set_secret(paths: Paths, name: str, content: bytes) -> bool:
    """Keep a secret; whether there was one of that name. The history tells who set it, and nothing of it.

    Raises what `SecretFolder.demand` raises, NotFoundError where there is no site, and UnavailableError where it
    cannot be recorded.
    """
    if not paths.site_file.exists():
        raise NotFoundError(f"there is no site in {paths.site}", hint="prov init --cluster NAME --network CIDR")
    folder = SecretFolder.of(paths.site, {})
    folder.demand(name, content)
    with locked(paths.write_lock):
        existed = folder.has(name)
        # First: what cannot be told is not done.
        _remark(paths, f"prov secret set {name}")
        folder.write(name, content)
    return existed


def delete_secret(paths: Paths, name: str, *, force: bool = False) -> None:
    """Remove a secret.

    Raises NotFoundError when there is none, and without `force` ConflictError when a node needs it.
    """
    folder = SecretFolder.of(paths.site, {})
    folder.status(name)
    if not force:
        needing = _needing(paths, name)
        if needing:
            raise ConflictError(
                f"{fold(needing)} would not boot, or could not be reached, without the secret {name}",
                hint=f"prov secret list shows what uses it; prov secret delete {name} --force",
            )
    with locked(paths.write_lock):
        _remark(paths, f"prov secret delete {name}")
        folder.delete(name)


def _remark(paths: Paths, command: str) -> None:
    # Not as it was typed: what it was taken from may tell it.
    remark(paths, About(who=who(), command=command))


def list_secrets(paths: Paths) -> tuple[SecretInfo, ...]:
    """Every secret, and what uses it, sorted by name. PermissionError for who may not look into the folder."""
    folder = SecretFolder.of(paths.site, {})
    overlays = _Overlays(paths)
    users: dict[str, set[str]] = {}
    for name, user in (*(pair for each in overlays.names() for pair in overlays.used(each)), *_named(paths)):
        users.setdefault(name, set()).add(user)
    found = ((name, folder.status(name)) for name in folder.names())
    return tuple(
        SecretInfo(name, status.st_size, status.st_mtime, tuple(sorted(users.get(name, ()))))
        for name, status in found
    )


def generated(count: int) -> bytes:
    """So many random bytes. ProvisionerError for none, and for more than a secret may have."""
    if not 0 < count <= LARGEST:
        raise ProvisionerError(f"{count} bytes are no secret", hint=f"1 to {LARGEST} bytes")
    return secrets.token_bytes(count)


def output_of(command: str) -> bytes:
    """What a command prints, to the byte; no shell is between. Raises what `host.run.run` raises."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ProvisionerError(f"the command cannot be read: {error}", hint="quote it as for a shell") from None
    if not words:
        raise ProvisionerError("the command is empty", hint="--from-command 'pass show cluster/munge'")
    # In memory: what goes through a file may stay on a disk.
    with os.fdopen(os.memfd_create("secret"), "w+b") as stream:
        run(words, timeout=_SECONDS, stdout=stream)
        stream.seek(0)
        return stream.read(LARGEST + 1)


def content_of(file: Path) -> bytes:
    """The bytes of a file. ProvisionerError where it cannot be read."""
    try:
        with file.open("rb") as stream:
            return stream.read(LARGEST + 1)
    except OSError as error:
        raise ProvisionerError(f"{file} cannot be read: {error.strerror}", hint=f"ls -l {file}") from None


class _Overlays:
    """Which secrets overlays use; one that cannot be read uses none."""

    def __init__(self, paths: Paths) -> None:
        self._files = WrittenFiles(collect(paths))
        self._library = Library(self._files, RenderMemo(Renderer()))
        self._used: dict[str, frozenset[tuple[str, str]]] = {}

    def names(self) -> list[str]:
        return overlay_names(self._files)

    def used(self, name: str) -> frozenset[tuple[str, str]]:
        """Secrets that an overlay and those that it brings along use, each with the overlay whose file it is."""
        if name not in self._used:
            try:
                pieces = self._library.pieces([name])
            except ProvisionerError:
                pieces = []
            self._used[name] = frozenset((secret, each.overlay.name) for each in pieces for secret in each.secrets)
        return self._used[name]


def _named(paths: Paths) -> dict[tuple[str, str], list[str]]:
    with obtain(paths, collect(paths)) as published:
        return named_by_nodes(published) if published.usable else {}


def _needing(paths: Paths, name: str) -> list[str]:
    """The nodes that a secret is for. Raises ConfigError where that cannot be told."""
    overlays = _Overlays(paths)
    with obtain(paths, collect(paths)) as published:
        if not published.usable:
            raise ConfigError(published.problems())
        named = named_by_nodes(published)
        nodes = published.nodes()
    found = {node for (secret, _), names in named.items() if secret == name for node in names}
    for node in nodes.values():
        if any(secret == name for each in node.system_overlays for secret, _ in overlays.used(each)):
            found.add(node.name)
    return sorted(found)
