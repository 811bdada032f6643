"""What the pages say of the code, where a machine can tell."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.unit.docs import pages

STAGE1 = pages.ROOT / "images/stage1/90provisioner"
# What the shell puts in; between them stands what is printed as it is.
VARIABLE = re.compile(r"\$\(\(.*?\)\)|\$\(.*?(?:\)|$)|\$\{.*?\}|\$[\w*@]+")
STATES = (
    *(
        "never booted",
        "script",
        "stage1",
        "rescue",
        "system",
        "degraded",
        "failed",
        "ready",
        "superseded",
        "local",
    ),
)

each_page = pytest.mark.parametrize("page", pages.PAGES, ids=pages.label)


@each_page
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    for target in pages.links(page.read_text()):
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page

        assert file.exists(), f"{target} does not exist"
        assert not anchor or anchor in pages.anchors(file.read_text()), f"{target} is no heading"


def said_by_stage_1() -> list[str]:
    scripts = sorted(STAGE1.glob("*.sh"))
    return [message for each in scripts for message in re.findall(r'\b(?:say|fail) "([^"]+)', each.read_text())]


@pytest.mark.parametrize("message", said_by_stage_1())
def test_the_walk_through_a_boot_has_every_line_of_stage_1(message: str) -> None:
    shown = pages.text("docs/boot.md")

    for part in VARIABLE.split(message):
        assert part.strip() in shown, f"docs/boot.md lacks {message!r}"


@pytest.mark.parametrize("state", STATES)
def test_the_walk_through_a_boot_explains_every_state_of_a_node(state: str) -> None:
    assert f"\n| `{state}` |" in pages.text("docs/boot.md")


def test_the_picture_of_the_layers_is_the_contract() -> None:
    contracts = tomllib.loads(pages.text("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    # A layer in brackets has no package yet.
    existing = [re.sub(r" \| \(\w+\)", "", layer) for layer in layers if layer != "__main__"]

    picture = next(pages.blocks(pages.text("docs/architecture.md"))).text

    assert picture.splitlines() == existing


@pytest.mark.parametrize(
    "package", sorted(path.parent.name for path in pages.ROOT.glob("provisioner/*/__init__.py"))
)
def test_the_architecture_says_what_every_package_is(package: str) -> None:
    assert re.search(rf"^\|.*`{package}`.*\|", pages.text("docs/architecture.md"), re.MULTILINE)


@pytest.mark.parametrize(
    "name", re.findall(r'self\.(?:state|run) / "([\w.-]+)"', pages.text("provisioner/config/paths.py"))
)
def test_the_architecture_says_what_every_file_of_the_state_is(name: str) -> None:
    assert f"`{name}" in pages.text("docs/architecture.md")
