"""The overlays of nodes rendered to see what fails, and for which nodes: at check time, not at boot."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from provisioner.config.paths import Paths
from provisioner.errors import Problem, ProvisionerError
from provisioner.model.catalogue import Catalogue
from provisioner.model.nodeset import fold
from provisioner.model.resolved import ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.model.tpm import Sealing
from provisioner.operations.keyshapes import KeyShapes
from provisioner.operations.storedimages import StoredImages
from provisioner.overlay.context import SHARED, Surroundings
from provisioner.overlay.includes import NO_INCLUDES, Includes, SiteFiles
from provisioner.overlay.library import Library, Piece
from provisioner.overlay.memo import RenderMemo
from provisioner.overlay.rendered import OverlayKind
from provisioner.overlay.secretbox import SecretWords
from provisioner.overlay.source import Files, WrittenFiles
from provisioner.registry.collect import SourceFile
from provisioner.render.environment import Renderer
from provisioner.render.limit import limited
from provisioner.trust.secrets import SecretFolder

PATIENCE = 2.0
"""Seconds of processor time that one template may spend on failing before it is tried for no other node."""
QUICK = 0.002
"""Seconds of processor time that a failure may take without counting: a whole tree of a node takes less."""

_PLACE = re.compile(r"(?P<file>overlays/[^:\s]+):(?:(?P<line>\d+):)? (?P<message>.*)", re.DOTALL)
_FILE = re.compile(r"overlays/\S+")
# What different nodes make of one line, before the rest of them is taken for the same.
_MOST_MESSAGES = 5
_OF_ALL_NODES = frozenset({"nodes", "host_trust"})


@dataclass(frozen=True, slots=True)
class Failure:
    """What a template or an overlay says when it cannot be rendered."""

    message: str
    hint: str

    @property
    def label(self) -> str:
        """The template, or what else is to blame."""
        found = _PLACE.match(self.message)
        return found["file"] if found else self.message

    def problem(self, nodes: Iterable[str], untried: int = 0) -> Problem:
        """The same with its place, and the nodes that it concerns; `untried` others were not looked at."""
        names = list(nodes)
        who = f"node {names[0]}" if len(names) == 1 else f"{len(names)} nodes: {fold(names)}"
        who += f"; not tried for {untried} more" if untried else ""
        found = _PLACE.match(self.message)
        if found:
            line = int(found["line"] or 0)
            return Problem(found["file"], line, 1 if line else 0, f"{found['message']} ({who})", self.hint)
        file = _FILE.search(self.message)
        return Problem(file[0] if file else "overlays", 0, 0, f"{self.message} ({who})", self.hint)


class Trial:
    """Renders the overlays of one node after another; `problems` are those of all of them."""

    def __init__(
        self,
        files: Files,
        snapshot: Snapshot,
        includes: Includes = NO_INCLUDES,
        secrets: SecretWords | None = None,
    ) -> None:
        self._library = Library(files, RenderMemo(Renderer(), bound=limited))
        self._around = Surroundings(snapshot, KeyShapes(), includes=includes, secrets=secrets)
        rules = snapshot.site.secrets
        self._sealed = frozenset(name for name, rule in rules.items() if rule.sealed is Sealing.TPM)
        self._failed: dict[Failure, list[str]] = {}
        self._spent: dict[str, float] = {}
        self._untried: dict[str, int] = {}
        self._nodes: set[str] = set()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Every failure with its place and its nodes, sorted."""
        return tuple(
            sorted(
                failure.problem(nodes, self._untried.get(failure.label, 0))
                for failure, nodes in self._failed.items()
            )
        )

    @property
    def failures(self) -> Mapping[Failure, Sequence[str]]:
        """What failed, and the nodes that it failed for."""
        return self._failed

    @property
    def failed(self) -> frozenset[str]:
        """The nodes that something failed for, and those that something was not tried for."""
        return frozenset(self._nodes)

    def is_untried(self, failure: Failure) -> bool:
        """Whether what fails there took so long that it was not tried for some nodes."""
        return failure.label in self._untried

    def render(self, node: ResolvedNode) -> None:
        """Render both trees of a node, and remember what fails."""
        context = self._around.context(node)
        for kind in OverlayKind:
            names, seen = kind.names(node), kind.view(context)
            first = None if self._untried else self._tree_failure(names, seen)
            if first or self._untried:
                self._blame(names, seen, node.name, {first} if first else set())
        for failure in self._withheld(node, context):
            self._remember(failure, node.name)

    def render_own(self, node: ResolvedNode) -> None:
        """Render the files of a node that are not made of all nodes, and remember which of them fail.

        For where the other nodes are not at hand: the snapshot has to hold the node and the site only.
        """
        context = self._around.context(node)
        for kind in OverlayKind:
            pieces, unreadable = self._pieces(kind.names(node), context)
            own = [piece for piece in pieces if not _variables(piece) & _OF_ALL_NODES]
            self._note_failures(unreadable, own, kind.view(context), node.name)

    def is_common(self, names: Iterable[str]) -> bool:
        """Whether what these overlays make of all nodes is the same for each of them.

        Then one of the nodes that did not change shows whether it still can be made. Overlays that cannot be read
        count as different for each.
        """
        try:
            pieces = [piece for name in names for piece in self._library.layer(name).pieces]
        except ProvisionerError:
            return False
        return not any(_mixes(piece) for piece in pieces)

    def _tree_failure(self, names: Iterable[str], context: Mapping[str, object]) -> Failure | None:
        started = time.process_time()
        try:
            self._library.tree(names, context)
        except ProvisionerError as error:
            failure = _failure(error)
            self._lose_patience(failure, time.process_time() - started)
            return failure
        return None

    def _blame(
        self, names: tuple[str, ...], context: Mapping[str, object], node: str, found: set[Failure]
    ) -> None:
        """Find everything that fails: the first failure hides the others."""
        pieces, unreadable = self._pieces(names, context)
        done = {failure.label for failure in found}
        fresh = [piece for piece in pieces if not piece.template or piece.template.label not in done]
        if not self._note_failures(found | unreadable, fresh, context, node):
            failure = self._tree_failure(names, context)
            if failure:
                self._remember(failure, node)

    def _note_failures(
        self, found: set[Failure], pieces: Iterable[Piece], context: Mapping[str, object], node: str
    ) -> bool:
        """Remember failures, and those of some pieces; whether there are any, or something was not tried."""
        untried = set()
        for piece in pieces:
            if piece.template and piece.template.label in self._untried:
                untried.add(piece.template.label)
            elif failure := self._failure_of(piece, context):
                found = found | {failure}
        for label in untried:
            self._untried[label] += 1
            self._nodes.add(node)
        for failure in sorted(found, key=lambda each: each.message):
            self._remember(failure, node)
        return bool(found or untried)

    def _withheld(self, node: ResolvedNode, context: Mapping[str, object]) -> list[Failure]:
        """Sealed secrets of a node that does not show its TPM: its boots would end there."""
        if node.tpm.required or not self._sealed:
            return []
        pieces, _ = self._pieces(OverlayKind.SYSTEM.names(node), context)
        found = sorted({(_label(piece), name) for piece in pieces for name in piece.secrets})
        hint = "prov node set NODE tpm.required=true (docs/tpm.md)"
        return [
            Failure(f"{label}: the secret {name} is sealed, and no TPM is asked for", hint)
            for label, name in found
            if name in self._sealed
        ]

    def _pieces(self, names: Iterable[str], context: Mapping[str, object]) -> tuple[list[Piece], set[Failure]]:
        pieces: list[Piece] = []
        unreadable: set[Failure] = set()
        for name in names:
            try:
                pieces += self._library.layer(name, context).pieces
            except ProvisionerError as error:
                unreadable.add(_failure(error))
        return pieces, unreadable

    def _failure_of(self, piece: Piece, context: Mapping[str, object]) -> Failure | None:
        started = time.process_time()
        try:
            self._library.files(piece, context)
        except ProvisionerError as error:
            failure = _failure(error)
            self._lose_patience(failure, time.process_time() - started)
            return failure
        return None

    def _lose_patience(self, failure: Failure, seconds: float) -> None:
        """One loop without end times ten thousand nodes would take a day."""
        if seconds < QUICK:
            return
        spent = self._spent[failure.label] = self._spent.get(failure.label, 0.0) + seconds
        if spent > PATIENCE:
            self._untried.setdefault(failure.label, 0)

    def _remember(self, failure: Failure, node: str) -> None:
        self._nodes.add(node)
        if failure not in self._failed:
            place = failure.problem([""])
            alike = [each for each in self._failed if _place(each.problem([""])) == _place(place)]
            if len(alike) >= _MOST_MESSAGES:
                failure = alike[-1]
        known = self._failed.setdefault(failure, [])
        if node not in known[-1:]:
            known.append(node)


def trial_of(paths: Paths, files: Mapping[str, SourceFile], snapshot: Snapshot, catalogue: Catalogue) -> Trial:
    """A trial of collected files, with the images of the site, and words in the place of its secrets."""
    written = WrittenFiles(files)
    includes = Includes(SiteFiles(written), StoredImages(paths, catalogue))
    return Trial(written, snapshot, includes, SecretWords(SecretFolder.of(paths.site)))


def _failure(error: ProvisionerError) -> Failure:
    return Failure(error.message, error.hint or "")


def _label(piece: Piece) -> str:
    return piece.template.label if piece.template else f"overlays/{piece.overlay.name}/overlay.yaml"


def _place(problem: Problem) -> tuple[str, int]:
    return problem.file, problem.line


def _mixes(piece: Piece) -> bool:
    """Whether a piece reads something of all nodes together with something of its own node."""
    variables = _variables(piece)
    return bool(variables & _OF_ALL_NODES) and bool(variables - SHARED)


def _variables(piece: Piece) -> set[str]:
    return {read[0] for read in piece.template.inputs.reads} if piece.template else set()
