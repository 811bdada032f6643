"""What a template reads of its context, worked out from its text alone.

Jinja loads a variable from the context only where its own compiler finds it undeclared, so what is named here is
all that a rendered text can depend on. Where the use of a variable cannot be followed (it is given to a filter, a
macro or another variable), the variable counts as read whole.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

from jinja2 import TemplateSyntaxError, nodes
from jinja2.meta import find_undeclared_variables

from provisioner.model.secret import SECRET_PATHS

# A variable, and the attributes of it that are read: ("site", "ssh", "admin_keys"); ("node",) is the whole node.
Read = tuple[str, ...]

_SECRETS = "secrets"
_OTHER_TEMPLATES: tuple[type[nodes.Node], ...] = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a template reads.

    `names` are variables and `reads` the parts of them, none inside another. `opens` are the beginnings of the
    paths that it gives to `file(...)`; empty when it opens none, `("",)` where one cannot be told. `secrets` are
    the names of secrets, each with the line of its first use. `password` is the line that names a field of nodes
    which is secret, wherever the node comes from; 0 where none does.
    """

    names: frozenset[str]
    reads: tuple[Read, ...]
    opens: tuple[str, ...]
    secrets: tuple[tuple[str, int], ...] = ()
    password: int = 0


def inputs_of(template: nodes.Template, known: Container[str]) -> Inputs:
    """The inputs of a parsed template; `known` are names that no context has to give, the globals.

    Raises TemplateSyntaxError where it cannot be told which secret a template reads, or a path would tell one.
    """
    names = frozenset(name for name in find_undeclared_variables(template) if name not in known)
    found = [(read, line) for read, line in _reads(template) if read[0] in names]
    reads = {read for read, _ in found}
    if any(template.find(kind) is not None for kind in _OTHER_TEMPLATES):
        reads |= {(name,) for name in names}
    for call in _calls_of_file(template):
        if any(read[0] == _SECRETS for argument in call.args for read, _ in _reads(argument)):
            raise TemplateSyntaxError("a secret cannot be a part of a path", call.lineno)
    opens = tuple(sorted(set(_opens(template))))
    return Inputs(names, tuple(sorted(_outermost(reads))), opens, _secrets(found), _password(template))


def _secrets(found: Iterable[tuple[Read, int]]) -> tuple[tuple[str, int], ...]:
    """The secrets among reads, with their first lines: `secrets.munge`."""
    lines: dict[str, int] = {}
    for (variable, *steps), line in found:
        if variable == _SECRETS:
            if not steps:
                raise TemplateSyntaxError("a template names its secrets: secrets.NAME", line)
            lines[steps[0]] = min(line, lines.get(steps[0], line))
    return tuple(sorted(lines.items()))


def _password(template: nodes.Template) -> int:
    """The line where all steps of the path of a secret field are named; in doubt it is one."""
    lines: dict[str, int] = {}
    for node in template.find_all((nodes.Getattr, nodes.Const)):
        step = node.attr if isinstance(node, nodes.Getattr) else getattr(node, "value", None)
        if isinstance(step, str):
            lines.setdefault(step, node.lineno)
    found = [path.split(".") for path in SECRET_PATHS if lines.keys() >= set(path.split("."))]
    return min((lines[steps[-1]] for steps in found), default=0)


def _reads(node: nodes.Node) -> Iterator[tuple[Read, int]]:
    read = _chain(node)
    if read is not None:
        yield read, node.lineno
        return
    for child in node.iter_child_nodes():
        yield from _reads(child)


def _chain(node: nodes.Node) -> Read | None:
    """`site.ssh["admin_keys"]` as a read, or None for anything that does not start at a variable."""
    if isinstance(node, nodes.Name):
        return (node.name,) if node.ctx == "load" else None
    if isinstance(node, nodes.Getattr):
        inner, step = _chain(node.node), node.attr
    elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        inner, step = _chain(node.node), node.arg.value
    else:
        return None
    return None if inner is None else (*inner, step)


def _outermost(reads: Iterable[Read]) -> list[Read]:
    every = set(reads)
    return [read for read in every if not any(read[:length] in every for length in range(1, len(read)))]


def _opens(template: nodes.Template) -> Iterator[str]:
    for call in _calls_of_file(template):
        yield _beginning(call.args[0]) if call.args else ""
    for name in template.find_all(nodes.Name):
        # Called under another name, or by a filter.
        if name.name == "file" and not _is_called(template, name):
            yield ""


def _calls_of_file(template: nodes.Template) -> Iterator[nodes.Call]:
    for call in template.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "file":
            yield call


def _is_called(template: nodes.Template, name: nodes.Name) -> bool:
    return any(call.node is name for call in template.find_all(nodes.Call))


def _beginning(argument: nodes.Expr) -> str:
    first = argument.nodes[0] if isinstance(argument, nodes.Concat) else argument
    return first.value if isinstance(first, nodes.Const) and isinstance(first.value, str) else ""
