"""The one Jinja environment: sandboxed, strict, without access to files, bounded in size."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from functools import lru_cache
from typing import NoReturn

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from provisioner.errors import ProvisionerError
from provisioner.render.escape import FILTERS, Multiline, UnsafeValueError, one_line

MAX_OUTPUT = 16 << 20
# What a template can raise: our refusals, Jinja's own, and those of Python for what filters and methods get.
_MISTAKES = (
    *(TemplateError, UnsafeValueError),
    *(ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError),
)
_MARK = "\0file "
_END = "\0\n"


class RenderError(ProvisionerError):
    """A template that cannot be rendered; the message names it and the line."""


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, without the one operator that can keep the interpreter busy where no signal ends it."""

    intercepted_binops = frozenset({"**"})

    def call_binop(self, _context: Context, operator: str, _left: object, _right: object) -> NoReturn:
        """Refuse powers; only they are intercepted."""
        raise SecurityError(f"the operator {operator} is not available in templates")


class Renderer:
    """Renders template texts. One object may serve for ever: compiled templates are kept."""

    def __init__(self) -> None:
        environment = _Sandbox(
            undefined=StrictUndefined,
            finalize=one_line,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            # Nothing here is HTML; finalize and the filters guard each language.
            autoescape=False,
        )
        environment.filters.update(FILTERS)
        environment.globals["file"] = _file_mark
        self._environment = environment
        self._compiled = lru_cache(maxsize=512)(self._compile)

    def text(self, name: str, source: str, context: Mapping[str, object]) -> str:
        """The rendered text of a template; `name` is for messages. Raises RenderError."""
        template = self._compiled(name, source)
        try:
            return _bounded(name, template, context)
        except _MISTAKES as error:
            line = _line_of(error)
            raise RenderError(f"{name}:{line}: {error}", hint=_hint(error)) from error

    def files(self, path: str, name: str, source: str, context: Mapping[str, object]) -> dict[str, str]:
        """The files that a template makes: those that it opens with `file(PATH)`, else the one at `path`.

        Text before the first `file(...)` must be blank.
        """
        head, *parts = self.text(name, source, context).split(_MARK)
        if not parts:
            return {} if _opens_files(source) else {path: head}
        if head.strip():
            raise RenderError(f"{name}: text before the first file(...): {head.strip()[:60]!r}")
        return dict(_split_part(part) for part in parts)

    def syntax_mistake(self, source: str) -> tuple[int, str] | None:
        """Line and message of the first syntax mistake of a template, or None."""
        try:
            self._environment.parse(source)
        except TemplateSyntaxError as error:
            return error.lineno, error.message or "the template has a syntax mistake"
        return None

    def _compile(self, name: str, source: str) -> Template:
        try:
            return self._environment.from_string(source)
        except TemplateSyntaxError as error:
            raise RenderError(f"{name}:{error.lineno}: {error.message}") from None


def _file_mark(path: str) -> Multiline:
    one_line(path)
    return Multiline(f"{_MARK}{path}{_END}")


def _split_part(part: str) -> tuple[str, str]:
    path, _, content = part.partition(_END)
    # trim_blocks takes the newline after a block, not the one after the expression that opened the file.
    return path, content.removeprefix("\n")


def _opens_files(source: str) -> bool:
    return "file(" in source


def _bounded(name: str, template: Template, context: Mapping[str, object]) -> str:
    parts: list[str] = []
    size = 0
    for part in template.generate(context):
        size += len(part)
        if size > MAX_OUTPUT:
            raise RenderError(f"{name}: the output is larger than {MAX_OUTPUT >> 20} MiB")
        parts.append(part)
    return "".join(parts)


def _line_of(error: BaseException) -> int:
    """The line in the template: Jinja rewrites its frames so that their file is `<template>`."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == "<template>" and frame.lineno]
    return lines[-1] if lines else 1


def _hint(error: BaseException) -> str | None:
    if isinstance(error, UnsafeValueError):
        return "change the value where it is written: prov node show NODE names the file"
    return None
