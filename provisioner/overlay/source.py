"""Overlays as a revision holds them: `overlays/NAME/overlay.yaml` and the files below `overlays/NAME/rootfs/`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import AfterValidator, BeforeValidator, Field

from provisioner.archive.tree import Entry, Kind
from provisioner.config.decode import decode_text
from provisioner.config.marked import MarkedMap, Value, parse
from provisioner.errors import ConfigError, NotFoundError, Problem
from provisioner.model.mapping import Written
from provisioner.model.name import Name
from provisioner.registry.collect import SourceFile

_OCTAL = re.compile(r"[0-7]{3,4}")
_SELINUX = re.compile(r"[a-z]\w*|[a-z]\w*:[a-z]\w*:[a-z]\w*(:s\d[\w:.,-]*)?", re.ASCII)
_CAPABILITIES = re.compile(r"(cap_[a-z_]+(,cap_[a-z_]+)*[=+][eip]+)( cap_[a-z_]+(,cap_[a-z_]+)*[=+][eip]+)*")
_UNIT = re.compile(r"[\w:.@\\-]+\.(service|socket|target|path|timer|mount|automount|slice|scope)", re.ASCII)
# The kernel's and systemd's own: to remove something there on a running node breaks it.
_NOT_OURS = ("dev", "proc", "run", "sys", "tmp")
TEMPLATE_SUFFIX = ".j2"


def _octal(value: object) -> object:
    if isinstance(value, str) and not _OCTAL.fullmatch(value):
        raise ValueError(f'{value!r} is not a file mode; expected three or four octal digits such as "0644"')
    return int(value, 8) if isinstance(value, str) else value


def _inside(path: str) -> str:
    Entry(path, Kind.DIRECTORY)
    return path


def _removable(path: str) -> str:
    if path.partition("/")[0] in ("", ".", *_NOT_OURS):
        raise ValueError(f"{path!r} cannot be removed; expected a path of the image such as etc/motd")
    return path


def _context(text: str) -> str:
    if not _SELINUX.fullmatch(text):
        raise ValueError(f"{text!r} is no SELinux type or context; expected sshd_key_t or user:role:type:s0")
    return text


def _capabilities(text: str) -> str:
    if not _CAPABILITIES.fullmatch(text):
        raise ValueError(f"{text!r} names no capabilities; expected the text of setcap(8): cap_net_raw=ep")
    return text


def _unit(name: str) -> str:
    if not _UNIT.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a systemd unit; expected sshd.service")
    return name


Mode = Annotated[int, BeforeValidator(_octal)]
InnerPath = Annotated[str, AfterValidator(_inside)]
RemovedPath = Annotated[str, AfterValidator(_inside), AfterValidator(_removable)]
SelinuxLabel = Annotated[str, AfterValidator(_context)]
Capabilities = Annotated[str, AfterValidator(_capabilities)]
UnitName = Annotated[str, AfterValidator(_unit)]


class DeclaredKind(StrEnum):
    """What a declared path is. A `link` is made by a template, whose text is the target."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"


class Declared(Written):
    """Owner and mode of one path; what is not declared belongs to root with 0644 (directories 0755).

    `inside` is the mode of files directly in a directory, for those that are not declared themselves. `selinux` is
    a type or a whole context, `capabilities` the text of setcap(8); without them the policy and the file decide.
    """

    kind: DeclaredKind = DeclaredKind.FILE
    mode: Mode | None = None
    inside: Mode | None = None
    uid: int = Field(default=0, ge=0)
    gid: int = Field(default=0, ge=0)
    selinux: SelinuxLabel | None = None
    capabilities: Capabilities | None = None


class OverlayFile(Written):
    """overlay.yaml. Owner and mode come from here and never from the file system of the head node.

    `variables` documents what the templates read: `tags.timezone` and its type, meaning and default. `uses` are
    overlays that are laid down below this one's own files, and so is one of `choose`. That names the program of
    the image that each of its overlays is for: the first that boot starts counts, else the first that is there.
    `remove` names files of the image, and of earlier overlays, that have to go; a later overlay may bring them
    back. `services` are systemd units that the agent reloads, or restarts, after a file changed that one of their
    patterns (of sh; `*` matches slashes too) matches. `secrets` are files with the very bytes of a secret, closed
    to others unless `files` says another mode.
    """

    description: str = ""
    variables: dict[str, str] = Field(default_factory=dict)
    uses: tuple[Name, ...] = ()
    choose: dict[Name, str] = Field(default_factory=dict)
    files: dict[InnerPath, Declared] = Field(default_factory=dict)
    links: dict[InnerPath, str] = Field(default_factory=dict)
    remove: tuple[RemovedPath, ...] = ()
    services: dict[UnitName, tuple[InnerPath, ...]] = Field(default_factory=dict)
    secrets: dict[InnerPath, Name] = Field(default_factory=dict)

    @property
    def brings(self) -> tuple[str, ...]:
        """Every overlay that may come along with this one."""
        return (*self.choose, *self.uses)

    def file(self, path: str) -> Declared:
        """What is declared of a file: for itself, or by its directory."""
        folder = self.files.get(path.rpartition("/")[0])
        return self.files.get(path) or Declared(mode=folder.inside if folder else None)


class Content(Protocol):
    """A file of a revision."""

    @property
    def kind(self) -> str:
        """`file` or `symlink`."""


class Files(Protocol):
    """What this module needs of a revision: its files by path, and their contents."""

    @property
    def files(self) -> Mapping[str, Content]:
        """Every file by its path (`overlays/hostname/rootfs/etc/hostname.j2`)."""

    def read(self, path: str) -> bytes:
        """The content of a file, or the target of a symlink."""


@dataclass(frozen=True, slots=True)
class WrittenFiles:
    """What is written now, as `Files`: nothing has to be kept to look at it."""

    files: Mapping[str, SourceFile]

    def read(self, path: str) -> bytes:
        """The content of one file, or the target of a symlink."""
        return self.files[path].content


class Overlay:
    """One overlay of a revision."""

    def __init__(self, revision: Files, name: str) -> None:
        self.name = name
        self._revision = revision
        self._prefix = f"overlays/{name}/"
        paths = [path for path in revision.files if path.startswith(self._prefix)]
        if not paths:
            hint = "prov overlay list shows those that exist"
            raise NotFoundError(f"there is no overlay {name}", hint=hint)
        root = f"{self._prefix}rootfs/"
        self.paths = tuple(sorted(path.removeprefix(root) for path in paths if path.startswith(root)))
        self.declared = self._declared()

    def _declared(self) -> OverlayFile:
        path = f"{self._prefix}overlay.yaml"
        if path not in self._revision.files:
            return OverlayFile()
        try:
            text = self._revision.read(path).decode()
        except UnicodeDecodeError:
            problem = Problem(path, 0, 0, "the file is not UTF-8 text", "save it as UTF-8")
            raise ConfigError([problem]) from None
        return decode_text(text, path, OverlayFile)

    def line_of(self, *keys: str) -> int:
        """The line of overlay.yaml where a key in maps stands."""
        value: Value | None = parse("", self._revision.read(f"{self._prefix}overlay.yaml").decode()).root
        line = 1
        for key in keys:
            pair = value.find(key) if isinstance(value, MarkedMap) else None
            if pair is None:
                break
            line, value = pair.key.span.line, pair.value
        return line

    def label(self, path: str) -> str:
        """The name of a file for messages."""
        return f"{self._prefix}rootfs/{path}"

    def is_symlink(self, path: str) -> bool:
        """Whether a path of rootfs is a symlink."""
        return self._revision.files[self.label(path)].kind == "symlink"

    def read(self, path: str) -> bytes:
        """The content of a path of rootfs, or the target of a symlink."""
        return self._revision.read(self.label(path))


def overlay_names(revision: Files) -> list[str]:
    """The overlays that a revision holds."""
    return sorted({path.split("/")[1] for path in revision.files if path.startswith("overlays/")})
