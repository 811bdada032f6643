"""Everything that people wrote, read once from the disk: site files, overlays, boot script templates, includes.

The content that is hashed is the content that is parsed, rendered and kept; nothing is read twice. Keys are
paths in the revision: `site/nodes.d/rack1.yaml`, `overlays/hostname/rootfs/etc/hostname.j2`,
`templates/boot.ipxe.j2`, `files/motd.txt` (what templates may include). A file of the site shadows the shipped
file with the same key.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, Problem, UnavailableError
from provisioner.registry.pending import Making, settled

LARGEST = 64 << 20

_ATTEMPTS = 5
_SCRIPT = ".ipxe.j2"
_INCLUDES = "files"
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
            return settled(
                paths, lambda: _collect_once(paths), Making(_written, lambda key: _shipped_file(paths, key))
            )
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


def own_overlays(paths: Paths) -> frozenset[str]:
    """The overlays that the site has itself, new ones and those that shadow shipped ones."""
    folders = (entry for entry in _listed(paths.site / "overlays") if entry.is_dir())
    return frozenset(entry.name for entry in folders if not entry.name.startswith("."))


def script_names(files: Mapping[str, SourceFile]) -> frozenset[str]:
    """The boot scripts that a node can have: `templates/boot.ipxe.j2` is `boot`."""
    names = (key.removeprefix("templates/") for key in files if key.startswith("templates/"))
    scripts = frozenset(name.removesuffix(_SCRIPT) for name in names if name.endswith(_SCRIPT))
    return scripts - _ANSWERS


def _collect_once(paths: Paths) -> Mapping[str, SourceFile]:
    found: dict[str, SourceFile] = {}
    problems = list(_misplaced(paths))
    for leaf in (*_shipped(paths), *_site(paths)):
        if not _is_text(leaf.key):
            problems.append(Problem(leaf.shown(paths), 0, 0, "the name of the file is not UTF-8", "rename it"))
            continue
        try:
            found[leaf.key] = _read(leaf, paths)
        except _UnreadableError as error:
            problems.append(Problem(leaf.shown(paths), 0, 0, str(error), error.hint))
    if problems:
        raise ConfigError(problems)
    return dict(sorted(found.items()))


def _misplaced(paths: Paths) -> Iterator[Problem]:
    """A problem for everything that stands where a folder of the site belongs."""
    own = (paths.site / name for name in ("overlays", "templates", _INCLUDES))
    for folder in (paths.group_files, paths.node_files, paths.switch_files, *own):
        if os.path.lexists(folder) and not folder.is_dir():
            what = "a symlink that leads to no folder" if folder.is_symlink() else "a file"
            hint = f"move it away, and mkdir {folder}"
            yield Problem(
                folder.name, 0, 0, f"there is {what} where a folder belongs; nothing is read there", hint
            )
    includes = paths.site / _INCLUDES
    if includes.is_dir() and not _is_inside(paths, includes):
        hint = f"make it a folder, and copy into it what templates include: rm {includes}; mkdir {includes}"
        yield Problem(_INCLUDES, 0, 0, "a symlink that leads out of the site; nothing is read there", hint)


def _is_inside(paths: Paths, folder: Path) -> bool:
    """Whether a folder is there and, followed through links, part of the site."""
    return folder.is_dir() and folder.resolve().is_relative_to(paths.site.resolve())


def _written(content: bytes, old: SourceFile | None) -> SourceFile:
    return SourceFile(FileKind.FILE, old.mode if old else _SITE_MODE, content)


def _shipped_file(paths: Paths, key: str) -> SourceFile | None:
    path = paths.data / key
    if paths.data == paths.site or not os.path.lexists(path):
        return None
    return _read(_Leaf(key, str(path), path.is_symlink()), paths)


def _is_text(name: str) -> bool:
    # What is not UTF-8 in a name arrives as lone surrogates.
    return _printable(name) == name


def _printable(name: str) -> str:
    return os.fsencode(name).decode(errors="backslashreplace")


class _UnreadableError(Exception):
    """A file that cannot be what it should be, and what to do about it."""

    def __init__(self, reason: str, hint: str = "replace it by a regular file, or remove it") -> None:
        super().__init__(reason)
        self.hint = hint

    @classmethod
    def of(cls, error: OSError) -> _UnreadableError:
        """The same of an error of the system."""
        reason = f"cannot be read: {error.strerror}"
        if isinstance(error, PermissionError):
            return cls(reason, "run prov as root or as a member of the group that owns the file: ls -l")
        return cls(reason)


class _Leaf(NamedTuple):
    """A file that was listed; without a `mode` its own counts.

    Links of the site's `own` configuration are followed, inside the site.
    """

    key: str
    path: str
    is_link: bool
    mode: int | None = None
    own: bool = False

    def shown(self, paths: Paths) -> str:
        """The name of the file for people: below the site root where it lies there."""
        path = Path(self.path)
        return _printable(os.path.relpath(path, paths.site) if path.is_relative_to(paths.site) else self.path)


def _shipped(paths: Paths) -> Iterator[_Leaf]:
    yield from _overlays(paths.data / "overlays")
    yield from _templates(paths.data / "templates")


def _site(paths: Paths) -> Iterator[_Leaf]:
    # In one root of everything the shipped folders may be the site's own.
    if paths.site != paths.data:
        yield from _overlays(paths.site / "overlays")
        yield from _templates(paths.site / "templates")
    if _is_inside(paths, paths.site / _INCLUDES):
        yield from _leaves(str(paths.site / _INCLUDES), _INCLUDES)
    if paths.site_file.is_symlink():
        yield _Leaf("site/provisioner.yaml", str(paths.site_file), is_link=True, mode=_SITE_MODE, own=True)
    elif paths.site_file.exists():
        yield _Leaf("site/provisioner.yaml", str(paths.site_file), is_link=False, mode=_SITE_MODE, own=True)
    for folder in (paths.group_files, paths.node_files, paths.switch_files):
        strays = not folder.resolve().is_relative_to(paths.site.resolve())
        for entry in _listed(folder):
            if entry.name.endswith((".yaml", ".yml")) and not entry.name.startswith("."):
                # All files of a folder that is a link itself are looked at as if they were links.
                is_link = strays or entry.is_symlink()
                yield _Leaf(f"site/{folder.name}/{entry.name}", entry.path, is_link, _SITE_MODE, own=True)


def _templates(folder: Path) -> Iterator[_Leaf]:
    for entry in _listed(folder):
        if entry.name.endswith(".j2") and not entry.name.startswith("."):
            yield _Leaf(f"templates/{entry.name}", entry.path, entry.is_symlink(), _TEMPLATE_MODE)


def _overlays(folder: Path) -> Iterator[_Leaf]:
    for entry in _listed(folder):
        if entry.is_dir() and not entry.name.startswith("."):
            yield from _leaves(entry.path, f"overlays/{entry.name}")


def _leaves(folder: str, key: str) -> Iterator[_Leaf]:
    """Everything below a folder but folders; a symlink is a leaf, wherever it leads."""
    with os.scandir(folder) as entries:
        listed = list(entries)
    for entry in listed:
        if entry.is_dir(follow_symlinks=False):
            yield from _leaves(entry.path, f"{key}/{entry.name}")
        else:
            yield _Leaf(f"{key}/{entry.name}", entry.path, entry.is_symlink())


def _listed(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _read(leaf: _Leaf, paths: Paths) -> SourceFile:
    """Read one file. A link of the site's configuration is followed inside the site only; others are kept."""
    if leaf.is_link and not leaf.own:
        return SourceFile(FileKind.SYMLINK, 0o777, os.fsencode(Path(leaf.path).readlink()))
    if leaf.is_link:
        target = Path(leaf.path).resolve()
        if not target.is_relative_to(paths.site.resolve()):
            raise _UnreadableError(f"a symlink that leads out of the site, to {_printable(str(target))}")
    try:
        found, content = _content(leaf)
    except FileNotFoundError:
        if Path(leaf.path).is_symlink():
            raise _UnreadableError("a symlink that leads nowhere") from None
        raise
    except OSError as error:
        raise _UnreadableError.of(error) from None
    return SourceFile(FileKind.FILE, _mode(found) if leaf.mode is None else leaf.mode, content)


def _content(leaf: _Leaf) -> tuple[int, bytes]:
    """The mode and content of a regular file, both of the file that was opened."""
    # What was no link when it was listed must not have become one; a named pipe would hold the reader.
    follow = 0 if leaf.is_link else os.O_NOFOLLOW
    handle = os.open(leaf.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | follow)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise _UnreadableError("not a regular file")
        if status.st_size > LARGEST:
            raise _UnreadableError(f"larger than {LARGEST >> 20} MiB")
        # One byte more than there was: a short answer is the whole file, without another call to hear of its end.
        pieces, wanted = [], status.st_size + 1
        while piece := os.read(handle, wanted):
            pieces.append(piece)
            if len(piece) < wanted or sum(map(len, pieces)) > LARGEST:
                break
        return status.st_mode, b"".join(pieces)
    finally:
        os.close(handle)


def _mode(mode: int) -> int:
    # What group and others may write depends on the umask of whoever checked the files out.
    return stat.S_IMODE(mode) & ~0o022
