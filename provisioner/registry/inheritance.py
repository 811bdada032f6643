"""What nodes and groups get from elsewhere: from groups, from other entries, from the product."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from provisioner.config.decode import Entry
from provisioner.config.excerpt import writable
from provisioner.model.name import REMOVES
from provisioner.registry import said
from provisioner.registry.facts import REMOVED
from provisioner.registry.inherit import Groups, linearise
from provisioner.registry.manuscript import Passage
from provisioner.registry.resolve import DEFAULT_LABEL, DEFAULTS, layers_of
from provisioner.registry.said import Path, Said

_GROUPS = ("groups",)


@dataclass
class Inheritance:
    """The groups of a site and what they say, looked up once for the many nodes of one kind."""

    groups: Groups
    chains: dict[tuple[str, ...], tuple[tuple[str, ...], tuple[Said, ...]]] = field(default_factory=dict)

    def behind(self, passages: Iterable[Passage]) -> tuple[tuple[str, ...], tuple[Said, ...]]:
        """The names of all groups behind the entries of a node or group, weakest first, and what each says."""
        named = said.joined((each.data for each in passages), _GROUPS)
        if named not in self.chains:
            names = linearise(named, self.groups)
            self.chains[named] = names, tuple(_said(self.groups[name]) for name in names)
        return self.chains[named]

    def items(self, passages: Sequence[Passage], path: Path) -> tuple[Any, ...]:
        """The items of a list that entries and everything behind them give together."""
        names, inherited = self.behind(passages)
        if path == _GROUPS:
            return names
        default = DEFAULTS.get(path)
        layers = (*inherited, *(each.data for each in passages))
        items = said.joined(layers, path, default.value if default else ())
        return tuple(item for item in items if not str(item).startswith(REMOVES))

    def gives(self, passages: Sequence[Passage], path: Path) -> bool:
        """Whether the groups behind entries, or the lists of the product, give something at a path.

        They give no groups: whose groups a group has is a matter of that group alone.
        """
        if path == _GROUPS:
            return False
        default = any(key[: len(path)] == path and isinstance(fact.value, tuple) for key, fact in DEFAULTS.items())
        return lasting(self.behind(passages)[1], path, at_first=default)


def lasting(layers: Iterable[Said], path: Path, *, at_first: bool) -> bool:
    """Whether something is given at a path after all layers, weakest first."""
    given = at_first
    for layer in layers:
        settled = said.settles(layer, path)
        given = given if settled is None else settled
    return given


def origin(groups: Groups, entries: Sequence[Entry[Any]], path: Path) -> str | None:
    """The strongest place that gives something at a path, in words for people; None where nothing does."""
    for label, facts in reversed(layers_of(groups, entries)):
        for key, fact in facts.items():
            if key[: len(path)] == path and fact.value is not REMOVED and fact.value is not None:
                if label == DEFAULT_LABEL:
                    return "the default of the product"
                source = fact.sources[-1]
                return f"{label}, {source.file}:{source.line}"
    return None


def _said(entry: Entry[Any]) -> Said:
    data = writable(entry.node)
    return data if isinstance(data, Mapping) else {}
