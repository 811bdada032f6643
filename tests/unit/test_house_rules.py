"""What no linter checks: sizes, names, and how functions may be called."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

_PACKAGE = Path(__file__).resolve().parents[2] / "provisioner"
_MODULES = sorted(_PACKAGE.rglob("*.py"))
# Commands import these with every start and the models, which take longer than all of their work, only when they
# return one. (import-linter counts imports for types as imports, so the layers hold all the same.)
_QUICK = {"registry/published.py", "registry/compiler.py"}
_VAGUE_NAMES = {"util", "utils", "common", "helper", "helpers", "manager", "managers", "misc"}

Function = ast.FunctionDef | ast.AsyncFunctionDef

each_module = pytest.mark.parametrize("module", _MODULES, ids=lambda path: str(path.relative_to(_PACKAGE)))


@each_module
def test_a_module_has_at_most_400_lines_and_says_what_it_is_for(module: Path) -> None:
    text = module.read_text()

    assert text.count("\n") <= 400
    assert ast.get_docstring(ast.parse(text)), "the module has no docstring"


@each_module
def test_a_module_is_named_after_one_thing(module: Path) -> None:
    names = set(module.relative_to(_PACKAGE).with_suffix("").parts)

    assert not names & _VAGUE_NAMES, "these names say nothing about what is inside"


@each_module
def test_a_function_has_at_most_40_lines(module: Path) -> None:
    long = [f"{each.name}: {_length(each)} lines" for each in _functions(module) if _length(each) > 40]

    assert not long


@each_module
def test_a_function_takes_at_most_5_positional_parameters(module: Path) -> None:
    wide = [each.name for each in _functions(module) if _positional(each) > 5]

    assert not wide, "make the later ones keyword-only, or one value of them"


@each_module
def test_imports_are_absolute_and_hide_from_no_layer_check(module: Path) -> None:
    tree = ast.parse(module.read_text())
    relative = [each.lineno for each in ast.walk(tree) if isinstance(each, ast.ImportFrom) and each.level]
    hidden = [each.lineno for each in _type_checking_blocks(tree) if "provisioner" in ast.unparse(each)]
    if str(module.relative_to(_PACKAGE)) in _QUICK:
        hidden = []

    assert not relative, "write imports from provisioner on"
    assert not hidden, "an import that is only good for types means that the layers are wrong"


def _functions(module: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, Function):
            yield node


def _length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def _positional(function: Function) -> int:
    # click calls a command by keyword only: its parameters are the command's options.
    if any("command" in ast.unparse(each) or "option" in ast.unparse(each) for each in function.decorator_list):
        return 0
    names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    return len([name for name in names if name not in {"self", "cls"}])


def _type_checking_blocks(tree: ast.Module) -> Iterator[ast.If]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield node
