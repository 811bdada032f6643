"""The table of events in docs/boot.md against the code, in both directions."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from provisioner.dhcp.message import Kind
from provisioner.http.report import _STAGES as REPORTED
from provisioner.http.tokens import _STAGE_OF as ARTIFACTS
from provisioner.model.event import Level
from tests.unit.docs import pages

PACKAGE = pages.ROOT / "provisioner"
PARTS_OF = ("daemon", "dhcp", "dns", "http", "nbd", "tftp")
SERVICES = [path for name in PARTS_OF for path in PACKAGE.glob(f"{name}/**/*.py")]
FIRST = (
    "access",
    "boot",
    "dhcp",
    "dhcp6",
    "disk",
    "http",
    "image",
    "kernel",
    "loader",
    "network",
    "node",
    "overlay",
    "root",
    "script",
    "sheet",
    "site",
    "stage1",
    "state",
    "stream",
    "tpm",
    "uki",
)
NAME = re.compile(rf"({'|'.join(FIRST)})\.([a-z]+)")
TEMPLATE = re.compile(rf"({'|'.join(FIRST)})\.\{{[a-z]+\}}|\{{[a-z]+\}}\.[a-z]+")

# Names that are put together when the event is made: what can stand in the braces.
PARTS: dict[str, Callable[[], set[str]]] = {
    "dhcp.{name}": lambda: arguments("dhcp/policy.py", {"Answer", "_note"}) | answered_kinds(),
    "dhcp6.{name}": lambda: arguments("dhcp/v6/policy.py", {"Answer", "_note", "_done"}) | {"advertise", "reply"},
    "loader.{name}": lambda: arguments("tftp/account.py", {"_tell"}) | arguments("tftp/server.py", {"_refuse"}),
    "{resource}.sent": lambda: {resource.value for resource in ARTIFACTS},
    "{resource}.broken": lambda: {resource.value for resource in ARTIFACTS},
}
VERDICTS = {"ready", "degraded"}


def test_the_table_of_events_holds_every_event_of_the_code_and_no_other() -> None:
    made = {name.replace(f"{{{brace(name)}}}", part) for name in PARTS for part in PARTS[name]()}

    assert documented() == literals() | made | {name for names in REPORTED.values() for name in names} | VERDICTS


def test_every_name_that_is_put_together_is_known_here() -> None:
    found = {text for tree in trees() for text in templates(tree) if TEMPLATE.fullmatch(text)}

    assert found == set(PARTS), "say in PARTS what can stand in the braces"


def test_every_level_of_the_table_is_a_level_of_the_code() -> None:
    assert {row[1] for row in rows()} == {level.value for level in Level}


def rows() -> Iterator[tuple[str, str]]:
    section = pages.text("docs/boot.md").split("\n## Events\n")[1]
    return (match for match in re.findall(r"^\| (`.*?`) \| (\w+) \|", section, re.MULTILINE))


def documented() -> set[str]:
    return {name for cell, _ in rows() for name in re.findall(r"`([^`]+)`", cell)}


def trees() -> Iterator[ast.Module]:
    return (ast.parse(path.read_text()) for path in SERVICES)


def literals() -> set[str]:
    constants = {node.value for tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    return {text for text in constants if isinstance(text, str) and NAME.fullmatch(text)}


def templates(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield ast.unparse(node)[2:-1]


def arguments(module: str, functions: set[str]) -> set[str]:
    """The texts of one small word that calls of these functions get as a name."""
    found: set[str] = set()
    for call in ast.walk(ast.parse((PACKAGE / module).read_text())):
        if isinstance(call, ast.Call) and ast.unparse(call.func).removeprefix("self.") in functions:
            named = [each.value for each in call.keywords if each.arg == "name"]
            constants = [each.value for each in (*call.args[:2], *named) if isinstance(each, ast.Constant)]
            found.update(each for each in constants if isinstance(each, str) and each.isalpha())
    return found


def answered_kinds() -> set[str]:
    asked = {Kind.DISCOVER, Kind.REQUEST, Kind.INFORM}
    return {kind.name.lower() for kind in (*asked, Kind.OFFER, Kind.ACK)}


def brace(template: str) -> str:
    return template.partition("{")[2].partition("}")[0]
