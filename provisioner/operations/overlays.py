"""Listing and showing overlays as they are written now."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.config.paths import Paths
from provisioner.operations.overlayfiles import OverlayFiles
from provisioner.overlay.source import Overlay, WrittenFiles, overlay_names
from provisioner.registry.collect import collect


@dataclass(frozen=True, slots=True)
class OverlayInfo:
    """An overlay: `files` are paths in the node, templates under the name that they are written with.

    `own` are those of `files` that the site has; the others ship. `uses` are overlays that it brings along; of
    those in `choose` the image decides, by the program that each is for.
    """

    name: str
    description: str
    files: tuple[str, ...]
    own: tuple[str, ...]
    links: dict[str, str]
    uses: tuple[str, ...]
    choose: dict[str, str]

    @property
    def origin(self) -> str:
        """Where its files are: `site`, `shipped`, or `both`."""
        if not self.own:
            return "shipped"
        return "site" if len(self.own) == len(self.files) else "both"


def overlays(paths: Paths) -> list[OverlayInfo]:
    """Every overlay that nodes can have, site and shipped."""
    view = OverlayFiles(paths, collect(paths))
    return [_info(view, view.overlay(name)) for name in overlay_names(WrittenFiles(view.files))]


def show_overlay(paths: Paths, name: str) -> OverlayInfo:
    """One overlay. NotFoundError when there is none of that name."""
    view = OverlayFiles(paths, collect(paths))
    return _info(view, view.overlay(name))


def overlay_file(paths: Paths, name: str, path: str) -> bytes:
    """A file of an overlay as it is written, by its path in the node or beside rootfs/; of a link the target.

    NotFoundError when there is none.
    """
    view = OverlayFiles(paths, collect(paths))
    return view.files[view.key(name, path)].content


def _info(view: OverlayFiles, overlay: Overlay) -> OverlayInfo:
    declared = overlay.declared
    own = tuple(path for path in overlay.paths if view.is_own(overlay.label(path)))
    links = dict(declared.links)
    return OverlayInfo(
        overlay.name, declared.description, overlay.paths, own, links, declared.uses, dict(declared.choose)
    )
