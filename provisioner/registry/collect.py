"""Everything that people wrote, read once from the disk: site files, overlays and boot script templates.

The content that is hashed is the content that is parsed, rendered and kept; nothing is read twice. Keys are
paths in the revision: `site/nodes.d/rack1.yaml`, `overlays/hostname/rootfs/etc/hostname.j2`,
`templates/boot.ipxe.j2`. A file of the site shadows the shipped file with the same key.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, Problem, UnavailableError

LARGEST = 64 << 20

_ATTEMPTS = 5
_SCRIPT = ".ipxe.j2"
# What machines get that do not boot: a node cannot ask for these.
_ANSWERS = frozenset({"unknown", "refused"})
_SITE_MODE = 0o640
_TEMPLATE_MODE = 0o644


class FileKind(StrEnum):
    """What a kept file is; the content of a symlink is its target."""

    FILE = "file"
    SYMLINK = "symlink"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file as it was read. `mode` is its permission bits."""

    kind: FileKind
    mode: int
    content: bytes


def collect(paths: Paths) -> Mapping[str, SourceFile]:
    """Read everything that people wrote, and the shipped files that nothing shadows.

    Raises ConfigError for what is not a regular file, is too large, leads out of the site or has a name that is
    not UTF-8, and UnavailableError when files keep vanishing while they are read.
    """
    for _ in range(_ATTEMPTS):
        try:
            return _collect_once(paths)
        except FileNotFoundError:
            # An editor or a checkout is at work: what was listed is gone. Look again.
            continue
    raise UnavailableError(f"the files below {paths.site} keep changing while they are read", hint="try again")


def site_files(files: Mapping[str, SourceFile]) -> dict[str, bytes]:
    """The configuration among collected files, by path below the site root."""
    return {key.removeprefix("site/"): each.content for key, each in files.items() if key.startswith("site/")}


def overlay_names(files: Mapping[str, SourceFile]) -> frozenset[str]:
    """The overlays among collected files."""
    return frozenset(key.split("/")[1] for key in files if key.startswith("overlays/"))


def script_names(files: Mapping[str, SourceFile]) -> frozenset[str]:
    """The boot scripts that a node can have: `templates/boot.ipxe.j2` is `boot`."""
    names = (key.removeprefix("templates/") for key in files if key.startswith("templates/"))
    scripts = frozenset(name.removesuffix(_SCRIPT) for name in names if name.endswith(_SCRIPT))
    return scripts - _ANSWERS


def _collect_once(paths: Paths) -> Mapping[str, SourceFile]:
    found: dict[str, SourceFile] = {}
    problems: list[Problem] = []
    for key, path, mode in (*_shipped(paths), *_site(paths)):
        shown = os.path.relpath(path, paths.site) if path.is_relative_to(paths.site) else str(path)
        if not _is_text(key):
            problems.append(Problem(_printable(shown), 0, 0, "the name of the file is not UTF-8", "rename it"))
            continue
        try:
            found[key] = _read(path, mode, paths.site if key.startswith("site/") else None)
        except ValueError as error:
            problems.append(Problem(shown, 0, 0, str(error), "replace it by a regular file, or remove it"))
    if problems:
        raise ConfigError(problems)
    return dict(sorted(found.items()))


def _is_text(name: str) -> bool:
    # What is not UTF-8 in a name arrives as lone surrogates.
    return _printable(name) == name


def _printable(name: str) -> str:
    return os.fsencode(name).decode(errors="backslashreplace")


def _shipped(paths: Paths) -> Iterator[tuple[str, Path, int | None]]:
    yield from _overlays(paths.data / "overlays")
    yield from _templates(paths.data / "templates")


def _site(paths: Paths) -> Iterator[tuple[str, Path, int | None]]:
    # In one root of everything the shipped folders may be the site's own.
    if paths.site != paths.data:
        yield from _overlays(paths.site / "overlays")
        yield from _templates(paths.site / "templates")
    if paths.site_file.exists() or paths.site_file.is_symlink():
        yield "site/provisioner.yaml", paths.site_file, _SITE_MODE
    for folder in (paths.group_files, paths.node_files):
        for path in _listed(folder):
            if path.suffix in {".yaml", ".yml"} and not path.name.startswith("."):
                yield f"site/{folder.name}/{path.name}", path, _SITE_MODE


def _templates(folder: Path) -> Iterator[tuple[str, Path, int | None]]:
    for path in _listed(folder):
        if path.suffix == ".j2" and not path.name.startswith("."):
            yield f"templates/{path.name}", path, _TEMPLATE_MODE


def _overlays(folder: Path) -> Iterator[tuple[str, Path, int | None]]:
    for overlay in _listed(folder):
        if overlay.is_dir() and not overlay.name.startswith("."):
            for place, _, names in os.walk(overlay, onerror=_raise):
                for path in (Path(place, name) for name in _leaves(place, names)):
                    yield f"overlays/{path.relative_to(folder).as_posix()}", path, None


def _leaves(place: str, names: list[str]) -> list[str]:
    # os.walk lists symlinks to directories among the directories; here they are leaves like every symlink.
    with os.scandir(place) as entries:
        links = [entry.name for entry in entries if entry.is_symlink()]
    return sorted({*names, *links})


def _raise(error: OSError) -> None:
    raise error


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _read(path: Path, mode: int | None, inside: Path | None) -> SourceFile:
    """Read one file. A link of the site's configuration is followed inside the site only; others are kept."""
    if inside is None and path.is_symlink():
        return SourceFile(FileKind.SYMLINK, 0o777, os.fsencode(path.readlink()))
    if inside is not None and not path.resolve().is_relative_to(inside.resolve()):
        raise ValueError(f"a symlink that leads out of the site, to {_printable(str(path.resolve()))}")
    try:
        found, content = _content(path)
    except FileNotFoundError:
        if path.is_symlink():
            raise ValueError("a symlink that leads nowhere") from None
        raise
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    return SourceFile(FileKind.FILE, _mode(found) if mode is None else mode, content)


def _content(path: Path) -> tuple[int, bytes]:
    """The mode and content of a regular file, both of the file that was opened."""
    # Without O_NONBLOCK a named pipe would hold the reader until somebody writes.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("not a regular file")
        if status.st_size > LARGEST:
            raise ValueError(f"larger than {LARGEST >> 20} MiB")
        with os.fdopen(handle, "rb", closefd=False) as stream:
            return status.st_mode, stream.read(LARGEST)
    finally:
        os.close(handle)


def _mode(mode: int) -> int:
    # What group and others may write depends on the umask of whoever checked the files out.
    return stat.S_IMODE(mode) & ~0o022
