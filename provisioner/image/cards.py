"""The PCI cards that the kernel of an image has a driver for, by the ids that its drivers name.

A driver that is still there may have lost ids, and by its name nothing is missing. Ids of drivers are in
`modules.alias` and `modules.builtin.modinfo` (the kernel's scripts/mod/file2alias.c has their form).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from provisioner.config.paths import Paths
from provisioner.image import inside, store
from provisioner.image.drivers import normal
from provisioner.model.image import Generation

_ALIAS = re.compile(
    r"pci:v(?P<vendor>\w{8}|\*)d(?P<device>\w{8}|\*)sv(?:\w{8}|\*)sd(?:\w{8}|\*)"
    r"bc(?P<base>\w\w|\*)sc(?P<sub>\w\w|\*)i(?P<interface>\w\w|\*)"
)
_LIMIT = 32 << 20


class Card(NamedTuple):
    """A card by vendor and device (four hexadecimal digits each) and class (six), in lower case."""

    vendor: str
    device: str
    kind: str

    @classmethod
    def parse(cls, text: str) -> Card | None:
        """`8086:1572:020000`, as stage 1 tells it; None for anything else."""
        match = re.fullmatch(r"([0-9a-f]{4}):([0-9a-f]{4}):([0-9a-f]{6})", text.lower())
        return cls(*match.groups()) if match else None

    def __str__(self) -> str:
        """`8086:1572`, as lspci -n prints it."""
        return f"{self.vendor}:{self.device}"


@dataclass(frozen=True)
class CardDrivers:
    """The drivers of one kernel by the cards they name; `complete` if those inside of the kernel are known."""

    by_vendor: dict[str, list[tuple[re.Match[str], str]]]
    complete: bool

    def of(self, card: Card) -> frozenset[str]:
        """The drivers that take a card. Its subsystem is not known, and any will do."""
        candidates = (*self.by_vendor.get(card.vendor, ()), *self.by_vendor.get("*", ()))
        return frozenset(driver for alias, driver in candidates if _takes(alias, card))


def card_drivers(paths: Paths, generation: Generation) -> CardDrivers:
    """What a generation's kernel has; nothing where its tree is not there, or this user may not look."""
    modules, built_in = (
        _content(paths, generation, name) for name in ("modules.alias", "modules.builtin.modinfo")
    )
    found: dict[str, list[tuple[re.Match[str], str]]] = {}
    for alias, driver in (*_of_modules(modules.splitlines()), *_built_in(built_in.split("\0"))):
        if match := _ALIAS.fullmatch(alias):
            vendor = match["vendor"]
            found.setdefault(vendor if vendor == "*" else vendor[4:].lower(), []).append((match, normal(driver)))
    return CardDrivers(found, bool(built_in))


def _content(paths: Paths, generation: Generation, name: str) -> str:
    tree = store.tree_path(paths, generation.tree)
    try:
        file = inside.resolve(tree, f"/lib/modules/{generation.kernel_release}/{name}")
        return (inside.read_regular(file, limit=_LIMIT) or b"").decode(errors="replace")
    except OSError:
        return ""


def _of_modules(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        words = line.split()
        if len(words) == 3 and words[0] == "alias":
            yield words[1], words[2]


def _built_in(entries: Iterable[str]) -> Iterator[tuple[str, str]]:
    for entry in entries:
        driver, dot, alias = entry.partition(".alias=")
        if dot:
            yield alias, driver


def _takes(alias: re.Match[str], card: Card) -> bool:
    wanted = (f"0000{card.vendor}", f"0000{card.device}", card.kind[:2], card.kind[2:4], card.kind[4:])
    return all(part in ("*", value) for part, value in zip(map(str.lower, alias.groups()), wanted, strict=True))
