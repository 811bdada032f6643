"""Which of several overlays suits the image of a node: the one for the program that does the work there."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from provisioner.overlay.imagefacts import ImageFacts
from provisioner.overlay.source import Overlay
from provisioner.render.environment import RenderError

Seen = Mapping[str, object] | None
"""What templates see of a node; None stands for all nodes, whatever they boot."""


def chosen(overlay: Overlay, context: Seen) -> tuple[str, ...]:
    """The overlay of `choose` for the image of a context: one, or none where nothing is declared.

    The first whose program boot starts, else the first whose program is there, else RenderError. Of an image that
    nothing is known of it is the first of all. Without a context it is every one.
    """
    programs = overlay.declared.choose
    if context is None or not programs:
        return tuple(programs)
    image = _image(context)
    if image is None:
        return tuple(programs)[:1]
    present = [name for name, program in programs.items() if program in image.programs]
    started = [name for name in present if image.programs[programs[name]]]
    for name in (*started, *present):
        return (name,)
    raise RenderError(
        f"overlays/{overlay.name}/overlay.yaml: the image {image.generation} has none of "
        f"{', '.join(programs.values())}",
        hint=f"install one of them in the image, or take the overlay out: ~{overlay.name}",
    )


def chooser(context: Seen) -> Hashable:
    """Equal for contexts in which `chosen` says the same of every overlay."""
    if context is None:
        return "all"
    image = _image(context)
    return None if image is None else image.stamp


def _image(context: Mapping[str, object]) -> ImageFacts | None:
    image = context.get("image")
    return image if isinstance(image, ImageFacts) and image.is_known else None
