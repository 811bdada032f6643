"""Overlays of nodes rendered for people to look at, as they are written now."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from provisioner.archive.tree import Entry
from provisioner.config.paths import Paths
from provisioner.errors import ConflictError, NotFoundError, UnavailableError
from provisioner.image.store import catalogue
from provisioner.model.resolved import ResolvedNode
from provisioner.operations.check import Checked, check
from provisioner.operations.filechanges import is_secret
from provisioner.operations.select import select
from provisioner.operations.storedimages import StoredImages
from provisioner.overlay.context import Identity, Surroundings
from provisioner.overlay.folder import write_tree
from provisioner.overlay.imagefacts import Images
from provisioner.overlay.includes import Includes, SiteFiles
from provisioner.overlay.library import Library
from provisioner.overlay.memo import RenderMemo
from provisioner.overlay.rendered import OverlayKind
from provisioner.overlay.secretbox import SecretSource, SecretWords
from provisioner.overlay.source import WrittenFiles
from provisioner.registry.collect import collect
from provisioner.registry.revision import describe
from provisioner.render.environment import Renderer
from provisioner.render.limit import limited
from provisioner.trust.importedkeys import ImportedKeys
from provisioner.trust.secrets import SecretFolder
from provisioner.trust.sitekey import SiteKey


class Made(NamedTuple):
    """A file of a node, and the overlay that makes it, or names the one that does in its `uses`."""

    overlay: str
    entry: Entry


class Trees:
    """The overlays of a checked site, for as many nodes as asked."""

    def __init__(
        self,
        checked: Checked,
        files: WrittenFiles,
        identity: Identity,
        images: Images,
        secrets: SecretSource | None = None,
    ) -> None:
        self._checked = checked
        self._library = Library(files, RenderMemo(Renderer(), bound=limited))
        includes = Includes(SiteFiles(files), images)
        self._around = Surroundings(checked.snapshot, identity, includes=includes, secrets=secrets)

    @classmethod
    def written(cls, paths: Paths, *, reveal: bool = False) -> Trees:
        """Those of what is written now, with words in place of secrets, unless they are to be shown.

        Makes the site key where no daemon has made it yet, because host keys derive from it. Raises ConfigError
        with every mistake of the site, and UnavailableError while the files of the site change.
        """
        checked = check(paths, catalogue(paths))
        key, folder = SiteKey.load_or_create(paths.keys), SecretFolder.of(paths.site)
        files = _files_of(paths, checked.revision)
        secrets = folder if reveal else SecretWords(folder, key)
        identity = Identity(key, ImportedKeys(paths.keys))
        return cls(checked, files, identity, StoredImages(paths), secrets)

    def nodes(self, nodeset: str) -> tuple[ResolvedNode, ...]:
        """The nodes of a set. NotFoundError for one that does not exist."""
        known = self._checked.snapshot.nodes
        if nodeset in known:
            return (known[nodeset],)
        return tuple(known[name] for name in select(self._checked.published, nodeset))

    def made(self, node: ResolvedNode, image: str | None = None) -> list[Made]:
        """Every file of a node by path; later overlays win, runtime ones over system ones. Raises RenderError.

        With `image` as if the node booted that one.
        """
        names = [name for kind in OverlayKind for name in kind.names(node)]
        context = self._around.context(node, image)
        makers = {
            entry.path: name
            for kind in OverlayKind
            for name in kind.names(node)
            for piece in self._library.layer(name, context).pieces
            for entry in self._library.files(piece, kind.view(context))
        }
        # The manifest is nobody's: it says what all of them declare.
        return [Made(makers.get(entry.path, "-"), entry) for entry in self._library.tree(names, context)]


def render_overlays(paths: Paths, nodeset: str, output: Path, *, reveal: bool = False) -> dict[str, list[Entry]]:
    """Write all files of the overlays of nodes into new or empty folders; returns what was written, by node.

    One node that is named gets `output` itself, the nodes of a set get a folder each in it. Owners are not set.
    Words stand for secrets, unless `reveal`. Raises what `Trees.written` raises, NotFoundError, RenderError, and
    ConflictError when a folder is not empty.
    """
    trees = Trees.written(paths, reveal=reveal)
    nodes = trees.nodes(nodeset)
    # All before the first is written: a mistake in the last one should not leave half of them.
    made = {node.name: [each.entry for each in trees.made(node)] for node in nodes}
    for name, entries in made.items():
        write_tree(entries, output if name == nodeset else output / name)
    return made


def list_rendered(paths: Paths, node: str, *, reveal: bool = False) -> list[Made]:
    """Every file that a node gets, and which overlay makes it. Raises what `render_overlays` raises."""
    trees = Trees.written(paths, reveal=reveal)
    return trees.made(_only(trees.nodes(node), node))


def render_file(paths: Paths, node: str, path: str, *, private: bool = False, reveal: bool = False) -> bytes:
    """One file that a node gets; of a link the target.

    Raises what `list_rendered` raises, NotFoundError when the node has no such file, and ConflictError for one
    that is for its owner alone, unless `private`. With `reveal` secrets are in it, and nothing is refused.
    """
    inner = path.strip("/")
    made = list_rendered(paths, node, reveal=reveal)
    entry = next((each.entry for each in made if each.entry.path == inner), None)
    if entry is None:
        hint = f"prov overlay render {node} lists what there is"
        raise NotFoundError(f"no overlay of {node} makes {inner}", hint=hint)
    if is_secret(entry) and not (private or reveal):
        raise ConflictError(f"{inner} of {node} is for its owner alone", hint="--private shows it all the same")
    return entry.content


def _only(nodes: Iterable[ResolvedNode], asked: str) -> ResolvedNode:
    first, *others = nodes
    if others:
        raise ConflictError(f"{asked} is more than one node", hint="name one, or a folder for all: --output DIR")
    return first


def _files_of(paths: Paths, revision: str) -> WrittenFiles:
    """What is written now, if it is still the revision that was checked."""
    files = collect(paths)
    if describe(files).revision != revision:
        message = f"the files below {paths.site} changed while they were looked at"
        raise UnavailableError(message, hint="try again")
    return WrittenFiles(files)
