"""The files of overlays as an edit looks at them: by name and path, the site's own and the shipped ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from provisioner.archive.tree import Entry, Kind
from provisioner.config.paths import Paths
from provisioner.errors import ConflictError, NotFoundError, ProvisionerError
from provisioner.model.name import Name
from provisioner.overlay.source import TEMPLATE_SUFFIX, Overlay, WrittenFiles
from provisioner.registry.collect import FileKind, SourceFile

BESIDE = frozenset({"overlay.yaml", "README.md"})
"""What lies beside rootfs/."""

_LIST = "prov overlay list"


@dataclass(frozen=True, slots=True)
class OverlayFiles:
    """What is written: files by their keys (`overlays/NAME/rootfs/PATH`), shipped ones but for those shadowed."""

    paths: Paths
    files: Mapping[str, SourceFile]

    def of(self, name: str) -> dict[str, SourceFile]:
        """The files of one overlay. NotFoundError when there is none of that name."""
        found = {key: each for key, each in self.files.items() if key.startswith(f"overlays/{name}/")}
        if not found:
            raise NotFoundError(f"there is no overlay {name}", hint=_LIST)
        return found

    def overlay(self, name: str) -> Overlay:
        """One overlay. Raises NotFoundError, and ConfigError for a bad overlay.yaml."""
        return Overlay(WrittenFiles(self.files), name)

    def key(self, name: str, path: str) -> str:
        """The key of a file of an overlay; a template also goes by the name of what it makes.

        Raises NotFoundError when the overlay has no such file.
        """
        inner = path_inside(path)
        keys = [f"overlays/{name}/rootfs/{inner}", f"overlays/{name}/rootfs/{inner}{TEMPLATE_SUFFIX}"]
        if inner in BESIDE or inner.startswith("rootfs/"):
            keys.insert(0, f"overlays/{name}/{inner}")
        known = self.of(name)
        for key in keys:
            if key in known:
                return key
        raise NotFoundError(
            f"overlay {name} has no file {inner}", hint=f"prov overlay show {name} lists its files"
        )

    def text(self, key: str) -> str:
        """The text of a file. ConflictError for a symlink, and for what is no text."""
        return self.content(key).decode(errors="surrogateescape")

    def content(self, key: str) -> bytes:
        """The content of a file. ConflictError for a symlink."""
        found = self.files[key]
        if found.kind is FileKind.SYMLINK:
            where = found.content.decode(errors="replace")
            raise ConflictError(f"{key} is a symlink to {where}", hint="declare it in overlay.yaml, under links")
        return found.content

    def is_own(self, key: str) -> bool:
        """Whether a file is the site's own, and not a shipped one."""
        return key in self.files and (self.paths.site / key).is_file()

    def is_shipped(self, key: str) -> bool:
        """Whether a file ships, be it shadowed by one of the site."""
        return self.paths.data != self.paths.site and (self.paths.data / key).is_file()

    def shipped(self, key: str) -> bytes | None:
        """What ships under a key, be it shadowed; None where nothing does."""
        return (self.paths.data / key).read_bytes() if self.is_shipped(key) else None


def path_inside(path: str) -> str:
    """A path below the root of a node, as overlays name it. ProvisionerError for one that leads out of it."""
    inner = path.lstrip("/")
    try:
        Entry(inner, Kind.FILE)
    except ValueError as error:
        raise ProvisionerError(str(error), hint="name a path in the node, such as etc/motd") from None
    return inner


def checked_name(name: str) -> str:
    """A name that an overlay can have. ProvisionerError for another one."""
    try:
        return str(TypeAdapter(Name).validate_python(name))
    except ValidationError as error:
        message = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise ProvisionerError(message, hint="such as motd") from None
