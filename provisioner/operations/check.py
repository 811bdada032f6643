"""Check a site, and compile it to what the daemon serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError
from provisioner.model.catalogue import Catalogue
from provisioner.model.snapshot import Snapshot
from provisioner.overlay.lint import mistakes
from provisioner.overlay.source import WrittenFiles
from provisioner.registry.collect import SourceFile, collect, overlay_names, script_names, site_files
from provisioner.registry.load import Loaded, load
from provisioner.registry.revision import describe, keep
from provisioner.registry.store import publish, set_current
from provisioner.render.environment import Renderer


@dataclass(frozen=True)
class Compiled:
    """A site at one revision (its full name), as written and as served."""

    revision: str
    loaded: Loaded
    snapshot: Snapshot


def check(paths: Paths, catalogue: Catalogue) -> Compiled:
    """Load everything and write nothing. Raises ConfigError with every mistake."""
    files = collect(paths)
    return _compiled(files, describe(files).revision, catalogue)


def compile_site(paths: Paths, catalogue: Catalogue) -> Compiled:
    """Load everything, keep it, publish its snapshot and make it the current one.

    Raises ConfigError with every mistake, and then the current revision stays what it was.
    """
    files = collect(paths)
    compiled = _compiled(files, describe(files).revision, catalogue)
    keep(paths, files)
    publish(paths, compiled.snapshot)
    set_current(paths, compiled.revision)
    return compiled


def _compiled(files: Mapping[str, SourceFile], revision: str, catalogue: Catalogue) -> Compiled:
    found = mistakes(WrittenFiles(files), Renderer())
    try:
        loaded = load(
            site_files(files), catalogue=catalogue, overlays=overlay_names(files), scripts=script_names(files)
        )
    except ConfigError as error:
        raise ConfigError((*error.problems, *found)) from None
    if found:
        raise ConfigError(found)
    return Compiled(revision, loaded, loaded.snapshot(revision))
