"""Check a site, and compile it to what the daemon serves."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path

from provisioner import __version__
from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, Problem
from provisioner.host.files import make_folder, write_atomically
from provisioner.model.catalogue import Catalogue
from provisioner.model.snapshot import Snapshot
from provisioner.registry.collect import SourceFile, collect
from provisioner.registry.compiler import KEPT, obtain, prune, publish_if_absent
from provisioner.registry.images import image_problems
from provisioner.registry.published import Published
from provisioner.registry.revision import keep
from provisioner.registry.store import set_current

_MODE = 0o640
_KEPT_LOOKS = 8


@dataclass(frozen=True)
class Checked:
    """A site without mistakes, at one revision (its full name)."""

    published: Published

    @property
    def revision(self) -> str:
        """The full name of the revision."""
        return self.published.revision

    @cached_property
    def snapshot(self) -> Snapshot:
        """What services would get."""
        return self.published.snapshot()


def check(paths: Paths, catalogue: Catalogue) -> Checked:
    """Look at everything that is written. Raises ConfigError with every mistake.

    Nothing is kept but what makes the next look quick.
    """
    return _checked(paths, collect(paths), catalogue)


def compile_site(paths: Paths, catalogue: Catalogue, needed: Collection[str] = ()) -> Checked:
    """Look at everything, keep it, publish its snapshot and make it the current one.

    Old snapshots go, but for those of the revisions in `needed`. Raises ConfigError with every mistake, and then
    the current revision stays what it was.
    """
    make_folder(paths.snapshots)
    files = collect(paths)
    checked = _checked(paths, files, catalogue)
    keep(paths, files)
    publish_if_absent(paths, checked.published)
    set_current(paths, checked.revision)
    with suppress(OSError):
        prune(paths, needed, newest=KEPT)
    return checked


def problems_of(
    paths: Paths, files: Mapping[str, SourceFile], published: Published, catalogue: Catalogue
) -> tuple[Problem, ...]:
    """Everything that is wrong with collected files and their snapshot, sorted: in files, overlays and images."""
    found = (*published.problems(), *image_problems(published, catalogue), *overlay_problems(paths, files))
    return tuple(sorted(found))


def overlay_problems(paths: Paths, files: Mapping[str, SourceFile]) -> tuple[Problem, ...]:
    """What is wrong with overlays and boot scripts. The answer is kept, so that each state is looked at once."""
    relevant = {key: each for key, each in files.items() if key.startswith(("overlays/", "templates/"))}
    place = paths.snapshots / f"overlays-{_digest(relevant)}.json"
    with suppress(OSError, ValueError, TypeError):
        return tuple(Problem(*fields) for fields in json.loads(place.read_bytes()))
    found = _look_at_overlays(relevant)
    if paths.state.is_dir():
        with suppress(OSError):
            write_atomically(place, json.dumps([astuple(each) for each in found]).encode(), mode=_MODE)
            _forget_looks(paths.snapshots)
    return found


def _checked(paths: Paths, files: Mapping[str, SourceFile], catalogue: Catalogue) -> Checked:
    published = obtain(paths, files)
    problems = problems_of(paths, files, published, catalogue)
    if problems:
        raise ConfigError(problems)
    return Checked(published)


def _look_at_overlays(files: Mapping[str, SourceFile]) -> tuple[Problem, ...]:
    # The template language takes a while to import, and is not needed while overlays stay as they are.
    from provisioner.overlay.lint import mistakes  # noqa: PLC0415 - as said above
    from provisioner.overlay.source import WrittenFiles  # noqa: PLC0415 - as said above
    from provisioner.render.environment import Renderer  # noqa: PLC0415 - as said above

    return mistakes(WrittenFiles(files), Renderer())


def _digest(files: Mapping[str, SourceFile]) -> str:
    digest = hashlib.sha256(__version__.encode())
    for key, each in sorted(files.items()):
        digest.update(os.fsencode(f"\0{key}\0{each.kind}\0{len(each.content)}\0") + each.content)
    return digest.hexdigest()


def _forget_looks(folder: Path) -> None:
    looks = sorted(folder.glob("overlays-*.json"), key=lambda place: place.stat().st_mtime)
    for place in looks[:-_KEPT_LOOKS]:
        place.unlink(missing_ok=True)
