"""What goes into an archive for support: each part is a text, and a part that cannot be had says why."""

from __future__ import annotations

import json
import os
import platform
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from provisioner import __version__
from provisioner.config.paths import Paths
from provisioner.errors import ProvisionerError
from provisioner.events.search import EventFilter
from provisioner.host.run import run
from provisioner.operations import eventlog, images, live
from provisioner.operations.disguise import Disguise, stars
from provisioner.operations.doctor.examination import examine

_EVENTS = 5000
_JOURNAL = 3000
_LARGEST = 1 << 20
_SECONDS = 60
_RELEASE = Path("/etc/os-release")
# What the machine says of itself, each with the words that ask for it.
_ASKED = {
    "machine/addresses.txt": ("ip", "address"),
    "machine/routes.txt": ("ip", "route"),
    "machine/sockets.txt": ("ss", "-lnptu"),
    "machine/packet-filter.txt": ("nft", "list", "ruleset"),
    "machine/disks.txt": ("df", "-h"),
    "machine/unit.txt": ("systemctl", "--no-pager", "status", "provisioner"),
    "journal.txt": ("journalctl", "--no-pager", "--unit", "provisioner", "--lines", str(_JOURNAL)),
}


def parts(paths: Paths) -> Iterator[tuple[str, str]]:
    """The name of every part and its text; secrets are still in them, where somebody wrote or printed one."""
    asked: dict[str, Callable[[], str]] = {
        "versions.json": _versions,
        "doctor.json": lambda: _json(_doctor(paths)),
        "daemon.json": lambda: _json(live.status(paths)),
        "events.jsonl": lambda: _events(paths),
        "images.json": lambda: _json([images.record(each) for each, _ in images.list_images(paths)]),
        "files.txt": lambda: "".join(_listing(paths)),
    }
    for name, ask in asked.items():
        yield name, _said(ask)
    for name, words in _ASKED.items():
        yield name, _said(partial(run, words, timeout=_SECONDS))
    for file in _site_files(paths):
        yield f"site/{file.relative_to(paths.site)}", _said(partial(_written, file))


def secrets_of(paths: Paths) -> Iterator[bytes]:
    """The secrets and keys that the site holds, as far as this user may read them."""
    for folder in (paths.site / "secrets", paths.keys):
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if path.is_file() and not path.name.endswith((".pub", ".crt")):
                with suppress(PermissionError):
                    yield path.read_bytes()


def _said(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except (ProvisionerError, OSError, ValueError) as error:
        return f"not to be had: {error}\n"


def _json(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n"


def _versions() -> str:
    release = dict(line.split("=", 1) for line in _RELEASE.read_text().splitlines() if "=" in line)
    return _json(
        {
            "provisioner": __version__,
            "python": platform.python_version(),
            "system": release.get("PRETTY_NAME", "").strip('"'),
            "kernel": platform.release(),
            "machine": platform.machine(),
            "processors": os.cpu_count(),
            "memory_bytes": psutil.virtual_memory().total,
        }
    )


def _doctor(paths: Paths) -> list[dict[str, Any]]:
    return [asdict(each) for each in examine(paths).findings]


def _events(paths: Paths) -> str:
    found = eventlog.events(paths, EventFilter(limit=_EVENTS))
    return "".join(f"{json.dumps(eventlog.record(each), default=str)}\n" for each in found)


def _site_files(paths: Paths) -> Iterator[Path]:
    """What people wrote that is YAML; overlays and templates are only listed, for they may hold anything."""
    if paths.site_file.exists():
        yield paths.site_file
    for folder in (paths.group_files, paths.node_files, paths.switch_files):
        yield from sorted(folder.glob("*.yaml"))


def _written(file: Path) -> str:
    """A file of the site, its secrets found by the parser of YAML."""
    if file.stat().st_size > _LARGEST:
        return f"not to be had: larger than {_LARGEST} bytes\n"
    return stars(Disguise().put_on(file.read_text(errors="replace").replace("\0", "")))


def _listing(paths: Paths) -> Iterator[str]:
    """Every file of site and state with mode, owner and size; no content."""
    for root in dict.fromkeys((paths.site, paths.state)):
        for folder, names, files in os.walk(root):
            # Trees of images are large and tell nothing.
            names[:] = sorted(name for name in names if name not in ("trees", "objects", "tmp"))
            for name in sorted((*names, *files)):
                seen = (Path(folder) / name).lstat()
                mode = stat.filemode(seen.st_mode)
                yield f"{mode} {seen.st_uid}:{seen.st_gid} {seen.st_size} {Path(folder) / name}\n"
