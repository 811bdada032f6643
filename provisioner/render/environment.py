"""The one Jinja environment: sandboxed, strict, without access to files, bounded in size."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping, Sequence
from functools import lru_cache

from jinja2 import Template, TemplateError, TemplateSyntaxError
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel

from provisioner.errors import ProvisionerError
from provisioner.render.escape import FILTERS, Multiline, UnsafeValueError, one_line, printed
from provisioner.render.inputs import Inputs, inputs_of
from provisioner.render.quote import QUOTERS
from provisioner.render.undefined import NamedUndefined

MAX_OUTPUT = 16 << 20
# What a template can raise: our refusals, Jinja's own, and those of Python for what filters and methods get.
_MISTAKES = (
    *(TemplateError, UnsafeValueError),
    *(ArithmeticError, AssertionError, AttributeError, LookupError, NameError),
    *(RuntimeError, SyntaxError, TypeError, ValueError),
)
# Python's compiler says so of what nests too deeply. Whoever renders has to know a real lack of memory.
_COMPILE_MISTAKES = (*_MISTAKES, MemoryError)
# Factors with more bits than this are no number that anybody configures.
_MAX_BITS = 4096
_OF_MODELS = frozenset(dir(BaseModel))
_OPENS = re.compile(r"(?<!\w)file\(")
_MARK = "\0file "
_END = "\0\n"


class RenderError(ProvisionerError):
    """A template that cannot be rendered; the message names it and the line."""


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, without operators that fill the memory or run for ever where no signal ends them.

    What is intercepted here is not computed while a template is compiled either.
    """

    intercepted_binops = frozenset({"**", "*"})

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        """Refuse powers, and products that are too large."""
        if operator == "**":
            raise SecurityError("the operator ** is not available in templates")
        if _repeats(left, right) or _repeats(right, left) or _bits(left) + _bits(right) > _MAX_BITS:
            raise SecurityError("the operator * would make something too large for a template")
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
        """Refuse what models can do besides having fields: to dump a node would print its secrets in clear."""
        if attr in _OF_MODELS and isinstance(obj, BaseModel):
            return False
        return super().is_safe_attribute(obj, attr, value)


class Renderer:
    """Renders template texts. One object may serve for ever: compiled templates are kept."""

    def __init__(self) -> None:
        environment = _Sandbox(
            undefined=NamedUndefined,
            finalize=printed,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            # Nothing here is HTML; finalize and the filters guard each language.
            autoescape=False,
        )
        environment.filters.update({**FILTERS, **QUOTERS})
        environment.globals["file"] = _file_mark
        # Equal inputs give equal bytes: a node checks what it gets against a digest that was told before.
        del environment.filters["random"], environment.globals["lipsum"]
        self._environment = environment
        self._compiled = lru_cache(maxsize=512)(self._compile)

    def text(self, name: str, source: str, context: Mapping[str, object]) -> str:
        """The rendered text of a template; `name` is for messages. Raises RenderError, and MemoryError.

        Only what the template uses is taken out of the context, so that it may make its values when asked.
        """
        template, inputs = self._compiled(name, source)
        try:
            return _bounded(name, template, {each: context[each] for each in inputs.names if each in context})
        except _MISTAKES as error:
            raise _told(name, error) from error

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

    def inputs(self, name: str, source: str) -> Inputs:
        """What a template reads; `name` is for messages. Raises RenderError for what is no template."""
        return self._compiled(name, source)[1]

    def syntax_mistake(self, source: str) -> tuple[int, str] | None:
        """Line and message of the first syntax mistake of a template, or None."""
        try:
            # What the compiler finds too, such as a filter that does not exist.
            self._environment.compile(source, raw=True)
        except _COMPILE_MISTAKES as error:
            return _line_of(error), _message(error)
        return None

    def _compile(self, name: str, source: str) -> tuple[Template, Inputs]:
        try:
            template = self._environment.from_string(source)
            return template, inputs_of(self._environment.parse(source), self._environment.globals)
        except _COMPILE_MISTAKES as error:
            raise _told(name, error) from error


def _file_mark(path: str) -> Multiline:
    one_line(path)
    return Multiline(f"{_MARK}{path}{_END}")


def _split_part(part: str) -> tuple[str, str]:
    path, _, content = part.partition(_END)
    # trim_blocks takes the newline after a block, not the one after the expression that opened the file.
    return path, content.removeprefix("\n")


def _opens_files(source: str) -> bool:
    return _OPENS.search(source) is not None


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
    if isinstance(error, TemplateSyntaxError):
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == "<template>" and frame.lineno]
    return lines[-1] if lines else 1


def _told(name: str, error: BaseException) -> RenderError:
    return RenderError(f"{name}:{_line_of(error)}: {_message(error)}", hint=_hint(error))


def _message(error: BaseException) -> str:
    # The line that a SyntaxError tells is one of the code that Jinja made; MemoryError has nothing to say.
    said = error.msg if isinstance(error, SyntaxError) else str(getattr(error, "message", None) or error)
    return said or f"the template fails with {type(error).__name__}"


def _repeats(items: object, times: object) -> bool:
    """Whether a text or list, so many times, is larger than what a template may print."""
    return isinstance(items, Sequence) and isinstance(times, int) and len(items) * times > MAX_OUTPUT


def _bits(value: object) -> int:
    return value.bit_length() if isinstance(value, int) else 0


def _hint(error: BaseException) -> str | None:
    if isinstance(error, UnsafeValueError):
        return "change the value where it is written: prov node show NODE names the file"
    return None
