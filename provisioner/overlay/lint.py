"""Mistakes in overlays and boot scripts that show without any node: bad declarations, template syntax.

What only shows for a node (a field that it does not have) is found when its files are rendered.
"""

from __future__ import annotations

from provisioner.errors import ConfigError, Problem
from provisioner.overlay.source import TEMPLATE_SUFFIX, Files, Overlay, overlay_names
from provisioner.render.environment import Renderer


def mistakes(files: Files, renderer: Renderer) -> tuple[Problem, ...]:
    """Every mistake in the overlays and boot scripts of a site, used or not."""
    problems: list[Problem] = []
    for name in overlay_names(files):
        try:
            Overlay(files, name)
        except ConfigError as error:
            problems += error.problems
    for path in sorted(files.files):
        if path.endswith(TEMPLATE_SUFFIX) and path.startswith(("overlays/", "templates/")):
            problems += _syntax(path, files.read(path), renderer)
    return tuple(problems)


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
