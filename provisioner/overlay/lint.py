"""Mistakes in overlays and boot scripts that show without any node: bad declarations, template syntax,
files in the wrong place.

What only shows for a node (a field that it does not have) is found when its files are rendered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from provisioner.errors import ConfigError, Problem
from provisioner.overlay.source import TEMPLATE_SUFFIX, Files, Overlay, overlay_names
from provisioner.render.environment import Renderer

# What an overlay may hold beside rootfs/; hidden files are those of editors and of git.
_BESIDE = frozenset({"overlay.yaml", "README.md"})


def mistakes(files: Files, renderer: Renderer, others: Collection[str] = ()) -> tuple[Problem, ...]:
    """Every mistake in the overlays and boot scripts of a site, used or not.

    `others` are overlays that exist and are not looked at.
    """
    problems: list[Problem] = []
    known = frozenset((*overlay_names(files), *others))
    for name in overlay_names(files):
        try:
            problems += _missing(Overlay(files, name), known)
        except ConfigError as error:
            problems += error.problems
    problems += filter(None, map(_misplaced, sorted(files.files)))
    for path in sorted(files.files):
        if path.endswith(TEMPLATE_SUFFIX) and path.startswith(("overlays/", "templates/")):
            problems += _syntax(path, files.read(path), renderer)
    return tuple(problems)


def _missing(overlay: Overlay, known: frozenset[str]) -> Iterator[Problem]:
    """What an overlay brings along and nobody has."""
    for name in overlay.declared.brings:
        if name not in known:
            file = f"overlays/{overlay.name}/overlay.yaml"
            message = f"it brings the overlay {name} along, which does not exist"
            yield Problem(file, 0, 0, message, "prov overlay list shows those that exist")


def _misplaced(path: str) -> Problem | None:
    """A file of an overlay that no node would ever get, because it lies beside rootfs/."""
    first, _, rest = path.partition("/")
    name, _, inner = rest.partition("/")
    if first != "overlays" or inner.startswith(("rootfs/", ".")) or inner in _BESIDE:
        return None
    hint = f"move it to overlays/{name}/rootfs/{inner}, or remove it"
    return Problem(path, 0, 0, "the file is outside rootfs/: no node would get it", hint)


def _syntax(path: str, content: bytes, renderer: Renderer) -> list[Problem]:
    try:
        source = content.decode()
    except UnicodeDecodeError:
        return [Problem(path, 0, 0, "the template is not UTF-8 text", "save it as UTF-8")]
    mistake = renderer.syntax_mistake(source)
    if mistake is None:
        return []
    line, message = mistake
    return [Problem(path, line, 1, message, "the template language is Jinja: see its page on template syntax")]
