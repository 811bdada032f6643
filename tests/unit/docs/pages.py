"""The project's pages, and what can be read from them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted(
    path
    for folder in ("docs", "images", "overlays", "packaging", "tests")
    for path in ROOT.glob(f"{folder}/**/*.md")
) + sorted(ROOT.glob("*.md"))

_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Remarks, and what the shell does with a command: here-documents, pipes, redirections.
_COMMENT = re.compile(r"\s{2,}.*| # .*| <<.*| [|>] .*| \\$")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_INLINE = re.compile(r"`(prov [^`]+)`")
_HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: the word after the fence, and the lines inside."""

    language: str
    text: str


def label(page: Path) -> str:
    """The path of a page, for the names of tests."""
    return str(page.relative_to(ROOT))


def text(name: str) -> str:
    """The text of a page by its path."""
    return (ROOT / name).read_text()


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a page's text."""
    return (Block(*match.groups()) for match in _FENCE.finditer(page))


def links(page: str) -> Iterator[str]:
    """The targets of a page's links, without those that lead out of the project."""
    found = (match[1] for match in _LINK.finditer(_FENCE.sub("", page)))
    return (target for target in found if "://" not in target and not target.startswith("mailto:"))


def anchors(page: str) -> set[str]:
    """The names that links to a page's headings have, as on GitHub."""
    titles = _HEADING.findall(_FENCE.sub("", page))
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


def commands(page: str) -> Iterator[str]:
    """The `prov` command lines in a page's blocks, without prompt and remark."""
    for block in blocks(page):
        if block.language in {"", "console", "sh"}:
            lines = (line.removeprefix("# ").removeprefix("$ ") for line in block.text.splitlines())
            yield from (_COMMENT.sub("", line) for line in lines if line.startswith("prov "))


def mentions(page: str) -> list[str]:
    """The `prov` commands that a page's sentences name, often without their arguments."""
    return _INLINE.findall(_FENCE.sub("", page))
