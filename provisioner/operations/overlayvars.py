"""The variables that the templates of an overlay read."""

from __future__ import annotations

from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError
from provisioner.operations.overlayfiles import OverlayFiles, path_inside
from provisioner.overlay.library import Library
from provisioner.overlay.memo import RenderMemo
from provisioner.overlay.source import TEMPLATE_SUFFIX, Overlay, WrittenFiles
from provisioner.overlay.vars import Variable, variables
from provisioner.registry.collect import collect
from provisioner.render.environment import Renderer


def overlay_variables(paths: Paths, name: str, path: str | None = None) -> tuple[Variable, ...]:
    """What an overlay reads, with the overlays in it; with `path` only one of its templates.

    Raises NotFoundError for an overlay or template that does not exist, ConfigError and RenderError for a bad one.
    """
    files = WrittenFiles(collect(paths))
    OverlayFiles(paths, files.files).of(name)
    pieces = Library(files, RenderMemo(Renderer())).layer(name).pieces
    if path is None:
        return variables(pieces, _meanings(files, name))
    wanted = path_inside(path).removesuffix(TEMPLATE_SUFFIX)
    chosen = [piece for piece in pieces if piece.template and piece.path == wanted]
    if not chosen:
        raise NotFoundError(f"overlay {name} has no template {path}", hint=f"prov overlay show {name}")
    found = variables(chosen, _meanings(files, name))
    return tuple(each for each in found if each.used_by)


def _meanings(files: WrittenFiles, name: str) -> dict[str, str]:
    """What is documented by an overlay and those that it uses; its own words count."""
    declared = Overlay(files, name).declared
    used = [_meanings(files, each) for each in declared.brings]
    return {key: text for each in (*used, declared.variables) for key, text in each.items()}
