"""SSH host keys taken over from nodes that run, so that nobody is asked about them after a switch."""

from __future__ import annotations

import io
import shlex
import tarfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.errors import ProvisionerError
from provisioner.host.run import run_bytes
from provisioner.trust.hostkey import HostKey
from provisioner.trust.importedkeys import LARGEST, ImportedKeys, kind_of, parse

SSH = "ssh -o BatchMode=yes -o ConnectTimeout=10 root@{node}"

_REMOTE = "cd /etc/ssh && tar -cf - ssh_host_*_key"
_SECONDS = 60.0
_AT_ONCE = 8
_MOST = 1 << 20

Fetch = Callable[[str], Mapping[str, HostKey]]


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of one node: the kinds of its keys, or the reason why there are none."""

    node: str
    kinds: tuple[str, ...]
    reason: str = ""


def over_ssh(command: str = SSH) -> Fetch:
    """Takes the keys of a node by a command that runs a shell there; `{node}` is its name."""

    def fetch(node: str) -> Mapping[str, HostKey]:
        words = [word.replace("{node}", node) for word in shlex.split(command)]
        return _unpacked(node, run_bytes([*words, _REMOTE], timeout=_SECONDS, limit=_MOST))

    return fetch


def from_folder(folder: Path) -> Fetch:
    """Takes the keys of a node from `FOLDER/NODE/ssh_host_*_key`, such as a copy of their /etc/ssh."""

    def fetch(node: str) -> Mapping[str, HostKey]:
        files = sorted((folder / node).glob("ssh_host_*_key"))
        named = ((kind_of(file.name), file) for file in files)
        return {kind: parse(kind, file.read_bytes()[:LARGEST], str(file)) for kind, file in named if kind}

    return fetch


def take(paths: Paths, names: Iterable[str], fetch: Fetch) -> tuple[Taken, ...]:
    """Keep the host keys of nodes; those that have none, or do not answer, keep what they had."""
    keys = ImportedKeys(paths.keys)

    def one(node: str) -> tuple[str, Mapping[str, HostKey], str]:
        try:
            found = fetch(node)
        except ProvisionerError as error:
            return node, {}, " ".join(error.message.split())
        except OSError as error:
            return node, {}, f"{error.filename}: {error.strerror}"
        return node, found, "" if found else "it has no host keys"

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        outcomes = list(pool.map(one, names))
    for node, found, _ in outcomes:
        if found:
            keys.keep(node, found)
    return tuple(Taken(node, tuple(found), reason) for node, found, reason in outcomes)


def _unpacked(node: str, archive: bytes) -> Mapping[str, HostKey]:
    """The keys in an archive from a node; nothing in it becomes a path."""
    found: dict[str, HostKey] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as members:
            for member in members:
                kind = kind_of(member.name)
                stream = members.extractfile(member) if kind and member.isreg() else None
                if kind and stream is not None:
                    found[kind] = parse(kind, stream.read(LARGEST), f"{node}:/etc/ssh/{member.name}")
    except (tarfile.TarError, EOFError) as error:
        raise ProvisionerError(f"{node} sent no archive: {error}", hint="try the command by hand") from None
    return found
