"""What overlays declare and no cpio archive can carry: labels, capabilities, removals, units to reload.

It travels as one file of the archive, `MANIFEST`, which stage 1 and the agent read line by line and take away.
A line is a verb and its words, one tab between; no path can hold a tab or a line break (`archive.tree.Entry`):

    remove PATH
    selinux CONTEXT PATH
    capabilities TEXT PATH
    service UNIT PATTERN
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from provisioner.archive.tree import Entry, Kind
from provisioner.overlay.source import Declared, Overlay
from provisioner.render.environment import RenderError

FOLDER = ".provisioner"
MANIFEST = f"{FOLDER}/overlay"


class Declarations:
    """What the overlays of one tree declare, collected while they are laid down one over the other."""

    def __init__(self) -> None:
        self._removed: set[str] = set()
        self._made: dict[str, tuple[Declared, Kind]] = {}
        self._services: dict[str, dict[str, None]] = {}

    def lay(self, overlay: Overlay) -> tuple[str, ...]:
        """Take the removals and units of the next overlay; returns the paths that it removes."""
        declared = overlay.declared
        for unit, patterns in declared.services.items():
            self._services.setdefault(unit, {}).update(dict.fromkeys(patterns))
        self._removed.update(declared.remove)
        return declared.remove

    def made(self, overlay: Overlay, entry: Entry) -> None:
        """Note that an overlay made an entry: what is declared of it replaces what an earlier one declared."""
        if entry.path == FOLDER or entry.path.startswith(f"{FOLDER}/"):
            raise RenderError(f"overlay {overlay.name} makes {entry.path}; {FOLDER} is kept for the product")
        spec = overlay.declared.files.get(entry.path, _NOTHING)
        if spec.capabilities and entry.kind is not Kind.FILE:
            kind = entry.kind.name.lower()
            raise RenderError(f"overlay {overlay.name} declares capabilities of the {kind} {entry.path}")
        self._made[entry.path] = (spec, entry.kind)

    def entries(self, paths: Iterable[str]) -> list[Entry]:
        """The manifest of a finished tree with these paths: one file, or none where nothing is declared."""
        lines = [*self._removals(set(paths)), *self._attributes(sorted(paths)), *self._units()]
        content = "".join("\t".join(line) + "\n" for line in lines).encode("utf-8", "surrogateescape")
        return [Entry(MANIFEST, Kind.FILE, content)] if lines else []

    def _removals(self, paths: set[str]) -> Iterator[tuple[str, ...]]:
        # What is brought back is simply replaced; a folder goes all the same, so that nothing old stays in it.
        kept = {path for path in paths & self._removed if self._made[path][1] is not Kind.DIRECTORY}
        return (("remove", path) for path in sorted(self._removed - kept))

    def _attributes(self, paths: list[str]) -> Iterator[tuple[str, ...]]:
        for path in paths:
            spec = self._made[path][0]
            if spec.selinux:
                yield "selinux", _whole(spec.selinux), path
            if spec.capabilities:
                yield "capabilities", spec.capabilities, path

    def _units(self) -> Iterator[tuple[str, ...]]:
        return (
            ("service", unit, pattern)
            for unit, patterns in sorted(self._services.items())
            for pattern in sorted(patterns)
        )


_NOTHING = Declared()


def is_below(path: str, folders: Iterable[str]) -> bool:
    """Whether a path is one of these, or lies in one."""
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def drop(entries: Mapping[str, Entry], removed: tuple[str, ...]) -> dict[str, Entry]:
    """The entries without those that a removal takes away."""
    return {path: entry for path, entry in entries.items() if not is_below(path, removed)}


def _whole(label: str) -> str:
    """A context (user:role:type:level); a bare type is that of a file of the system."""
    return label if ":" in label else f"system_u:object_r:{label}:s0"


def beside(overlay: Overlay) -> tuple[object, ...]:
    """What an overlay declares that only a manifest can say, empty where it is nothing; of equal ones equal."""
    declared = overlay.declared
    labels = [(path, spec.selinux, spec.capabilities) for path, spec in declared.files.items()]
    labels = [each for each in labels if any(each[1:])]
    parts = (declared.remove, declared.services, labels)
    return parts if any(parts) else ()


def in_words(manifest: bytes) -> list[str]:
    """The lines of a manifest for people."""
    return [_sentence(*line.split("\t")) for line in manifest.decode(errors="replace").splitlines()]


def _sentence(verb: str, first: str, second: str = "") -> str:
    match verb:
        case "remove":
            return f"removes {first} of the image"
        case "selinux":
            return f"labels {second} {first}"
        case "capabilities":
            return f"gives {second} the capabilities {first}"
        case _:
            return f"reloads {first} when {second} changes"
