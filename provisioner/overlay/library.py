"""The overlays of one revision, read and checked once, and rendered for as many nodes as ask.

An overlay is a row of pieces in the order in which they are laid down: declared directories, files (templates are
pieces that make files), declared links, secrets. A later piece wins over an earlier one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from provisioner.archive.tree import Entry, Kind
from provisioner.model.secret import HIDDEN, REFERENCE
from provisioner.overlay.choice import Seen, chooser, chosen
from provisioner.overlay.manifest import Declarations, drop
from provisioner.overlay.memo import RenderMemo, Template, is_of_one_node
from provisioner.overlay.secretbox import CLOSED, filled
from provisioner.overlay.source import TEMPLATE_SUFFIX, Declared, DeclaredKind, Files, Overlay
from provisioner.render.environment import RenderError

_KINDS = {
    DeclaredKind.FILE: Kind.FILE,
    DeclaredKind.DIRECTORY: Kind.DIRECTORY,
    DeclaredKind.LINK: Kind.SYMLINK,
}
_OPEN = 0o644


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of an overlay: a finished entry, or a template that makes the file at `path`, or those it opens.

    Of an entry whose content is a `secret` (its name, and the line that says so), only a word for it is here.
    """

    overlay: Overlay
    path: str
    entry: Entry | None = None
    template: Template | None = None
    secret: tuple[str, int] | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secrets that it may put into files."""
        if self.template is not None:
            return tuple(name for name, _ in self.template.inputs.secrets)
        return (self.secret[0],) if self.secret else ()

    @property
    def is_private(self) -> bool:
        """Whether it may put a secret of the site, or a password of a node, into files."""
        return bool(self.secrets or (self.template and self.template.inputs.password))

    def may_make(self, path: str) -> bool:
        """Whether the entry at a path can be this piece's; in doubt yes."""
        opens = self.template.inputs.opens if self.template else ()
        return path.startswith(opens) if opens else path == self.path


@dataclass(frozen=True, slots=True)
class Layer:
    """One overlay, itself after those that it brings along, and the pieces of them all.

    `depends` tells that another image may bring others along.
    """

    overlay: Overlay
    overlays: tuple[Overlay, ...]
    pieces: tuple[Piece, ...]
    depends: bool = False


class Library:
    """Overlays of one revision. Methods raise NotFoundError, ConfigError or RenderError for a bad overlay."""

    def __init__(self, files: Files, memo: RenderMemo) -> None:
        self._files = files
        self._memo = memo
        self._layers: dict[Hashable, Layer] = {}
        self._depending: set[str] = set()
        self._reading: list[str] = []

    def layer(self, name: str, context: Seen = None) -> Layer:
        """One overlay, with those that suit the image of a context; without one, with all that any image brings.

        Raises RenderError also where none suits.
        """
        known = self._layers.get((name, chooser(context)) if name in self._depending else name)
        if known is None:
            known = self._read(name, context)
            if known.depends:
                self._depending.add(name)
            self._layers[(name, chooser(context)) if known.depends else name] = known
        return known

    def pieces(self, names: Iterable[str], context: Seen = None) -> list[Piece]:
        """All parts of some overlays, in the order in which they are laid down."""
        return [piece for name in names for piece in self.layer(name, context).pieces]

    def overlays(self, names: Iterable[str], context: Seen = None) -> list[Overlay]:
        """Some overlays and all that come along with them, in their order."""
        return [overlay for name in names for overlay in self.layer(name, context).overlays]

    def files(self, piece: Piece, context: Mapping[str, object]) -> tuple[Entry, ...]:
        """What one piece makes for the node of a context."""
        if piece.secret is not None and piece.entry is not None:
            label = f"overlays/{piece.overlay.name}/overlay.yaml"
            return (filled(label, piece.entry, piece.secret, context),)
        if piece.template is None:
            return (piece.entry,) if piece.entry else ()
        return self._memo.files(piece.template, context, lambda: self._render(piece, context))

    def tree(self, names: Iterable[str], context: Mapping[str, object]) -> list[Entry]:
        """The files of overlays in their order, later ones over earlier ones, sorted by path.

        Parents are left out unless an overlay declares them: the directories of the image keep their modes.
        What no archive can carry is one entry more, the manifest (overlay.manifest), where anything is declared.
        Raises RenderError also for a path below a file or a link of the same tree, and for a declared path that
        its overlay does not make.
        """
        entries: dict[str, Entry] = {}
        makers: dict[str, str] = {}
        declarations = Declarations()
        for name in names:
            layer = self.layer(name, context)
            for overlay in layer.overlays:
                entries = drop(entries, declarations.lay(overlay))
            made: dict[str, Entry] = {}
            for piece in layer.pieces:
                for entry in self.files(piece, context):
                    declarations.made(piece.overlay, entry)
                    made[entry.path] = entry
            _refuse_unmade(layer, made)
            entries |= made
            makers |= dict.fromkeys(made, name)
        _refuse_collisions(entries, makers)
        ordered = [*declarations.entries(entries), *entries.values()]
        return sorted(ordered, key=lambda entry: entry.path)

    def _read(self, name: str, context: Seen) -> Layer:
        overlay = Overlay(self._files, name)
        files = (self._piece(overlay, path) for path in overlay.paths)
        used = tuple(self._used(overlay, context))
        depends = bool(overlay.declared.choose) or any(layer.depends for layer in used)
        below = (piece for layer in used for piece in layer.pieces)
        pieces = (*below, *_directories(overlay), *files, *_links(overlay), *_secrets(overlay))
        return Layer(overlay, (*(each for layer in used for each in layer.overlays), overlay), pieces, depends)

    def _used(self, overlay: Overlay, context: Seen) -> Iterator[Layer]:
        self._reading.append(overlay.name)
        try:
            for name in (*chosen(overlay, context), *overlay.declared.uses):
                if name in self._reading:
                    raise RenderError(f"overlay {name} uses itself, by way of {' and '.join(self._reading)}")
                yield self.layer(name, context)
        finally:
            self._reading.pop()

    def _piece(self, overlay: Overlay, path: str) -> Piece:
        content = overlay.read(path)
        if overlay.is_symlink(path):
            return Piece(overlay, path, _entry(overlay, path, Kind.SYMLINK, content, Declared(mode=0o777)))
        if not path.endswith(TEMPLATE_SUFFIX):
            return Piece(overlay, path, _file(overlay, path, content))
        return Piece(overlay, path.removesuffix(TEMPLATE_SUFFIX), template=self._template(overlay, path, content))

    def _template(self, overlay: Overlay, path: str, content: bytes) -> Template:
        label = overlay.label(path)
        try:
            source = content.decode()
        except UnicodeDecodeError:
            raise RenderError(f"{label} is a template but not UTF-8 text") from None
        inputs = self._memo.renderer.inputs(label, source)
        # Owners and modes of what it makes are declared outside of it.
        parts = (label.encode(), content, overlay.declared.model_dump_json().encode())
        digest = hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
        return Template(label, source, digest, inputs, is_of_one_node(inputs))

    def _render(self, piece: Piece, context: Mapping[str, object]) -> tuple[Entry, ...]:
        template = piece.template
        if template is None:
            return ()
        made = self._memo.renderer.files(piece.path, template.label, template.source, context)
        if piece.secrets and HIDDEN not in template.source and any(HIDDEN in text for text in made.values()):
            message = f"{template.label}:1: a secret inside of a list or map prints as stars"
            raise RenderError(message, hint="print its items one by one")
        if template.inputs.password:
            _refuse_references(template, made.values())
        default = CLOSED if piece.is_private else _OPEN
        return tuple(_file(piece.overlay, path, text.encode(), default) for path, text in made.items())


def _refuse_references(template: Template, texts: Iterable[str]) -> None:
    """A file with the name of a secret in place of it would be found out by whoever logs in."""
    if REFERENCE not in template.source and any(REFERENCE in text for text in texts):
        message = f"{template.label}:{template.inputs.password}: the password names a secret of the site"
        raise RenderError(message, hint="write {{ secrets.NAME }}; templates see the reference, not the secret")


def _directories(overlay: Overlay) -> Iterable[Piece]:
    for path, spec in overlay.declared.files.items():
        if spec.kind is DeclaredKind.DIRECTORY:
            yield Piece(overlay, path, _entry(overlay, path, Kind.DIRECTORY, b"", spec))


def _links(overlay: Overlay) -> Iterable[Piece]:
    for path, target in overlay.declared.links.items():
        yield Piece(overlay, path, _entry(overlay, path, Kind.SYMLINK, target.encode(), Declared(mode=0o777)))


def _secrets(overlay: Overlay) -> Iterable[Piece]:
    for path, name in overlay.declared.secrets.items():
        entry = _file(overlay, path, f"<secret {name}>".encode(), CLOSED)
        yield Piece(overlay, path, entry, secret=(name, overlay.line_of("secrets", path)))


def _file(overlay: Overlay, path: str, content: bytes, default: int = _OPEN) -> Entry:
    spec = overlay.declared.file(path)
    if spec.kind is DeclaredKind.LINK:
        return _entry(overlay, path, Kind.SYMLINK, content.strip(), Declared(mode=0o777))
    if spec.mode is None and default != _OPEN:
        spec = spec.model_copy(update={"mode": default})
    return _entry(overlay, path, Kind.FILE, content, spec)


def _entry(overlay: Overlay, path: str, kind: Kind, content: bytes, spec: Declared) -> Entry:
    default = 0o755 if kind is Kind.DIRECTORY else _OPEN
    mode = default if spec.mode is None else spec.mode
    try:
        return Entry(path, kind, content, mode, spec.uid, spec.gid)
    except ValueError as error:
        raise RenderError(f"overlay {overlay.name}: {error}") from None


def _refuse_unmade(layer: Layer, made: Mapping[str, Entry]) -> None:
    """A mistyped path in overlay.yaml would leave a secret readable by everybody.

    A template that may open the file and does not has nothing to say to this node, which is no mistake.
    """
    overlay = layer.overlay
    for path, spec in overlay.declared.files.items():
        entry = made.get(path)
        if entry is None and any(piece.template and piece.may_make(path) for piece in layer.pieces):
            continue
        if entry is None or entry.kind is not _KINDS[spec.kind]:
            found = "makes nothing there" if entry is None else f"makes a {entry.kind.name.lower()} there"
            message = (
                f"overlays/{overlay.name}/overlay.yaml declares the {spec.kind} {path}, but the overlay {found}"
            )
            raise RenderError(message, hint=f"prov overlay show {overlay.name} lists what it makes")


def _refuse_collisions(entries: Mapping[str, Entry], makers: Mapping[str, str]) -> None:
    leaves = {path for path, entry in entries.items() if entry.kind is not Kind.DIRECTORY}
    for path in sorted(entries):
        above = path
        while slash := above.rfind("/") + 1:
            above = above[: slash - 1]
            if above in leaves:
                raise RenderError(
                    f"overlay {makers[path]} makes {path}, but overlay {makers[above]} makes the "
                    f"{entries[above].kind.name.lower()} {above}",
                    hint=f"rename one of them, or declare {above} as a directory only",
                )
