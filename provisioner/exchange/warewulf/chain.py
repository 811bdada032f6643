"""In which order profiles count for a node, there and here, and what a node says after all of them.

Warewulf expands the list of a node depth first, nested profiles before the profile that names them, each once, and
then drops every profile that any `~name` on the way names. Our groups differ in one thing: `~name` also takes
away what only that group brought, and a later `name` brings it back. `groups_for` writes the list that gives the
same order here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from provisioner.errors import ProvisionerError
from provisioner.exchange.warewulf.entry import REMOVED, Entry, Fields, Said
from provisioner.model.name import REMOVES
from provisioner.registry.inherit import ordered

# Our groups may be nested deeper; nobody does.
_DEEPEST = 40
_MOST_LEVELS = 200
GROUPS = ("groups",)


@dataclass(frozen=True)
class Chains:
    """The profiles by name; those in `flat` lead back to themselves, so what they nest is not carried."""

    profiles: Mapping[str, Entry]
    flat: frozenset[str]

    @classmethod
    def of(cls, profiles: Mapping[str, Entry]) -> Chains:
        """Find the circles, and profiles that are nested too deep."""
        nests = {name: _wanted(entry) & profiles.keys() for name, entry in profiles.items()}
        return cls(profiles, frozenset(name for name in nests if _is_circular(name, nests)))

    def order(self, entry: Entry) -> tuple[str, ...]:
        """The profiles that count for a node in Warewulf, weakest first; unknown ones are left out."""
        expanded = self._expanded(_list(entry), set())
        unwanted = {each.removeprefix(REMOVES) for each in expanded if each.startswith(REMOVES)}
        return tuple(each for each in expanded if each in self.profiles and each not in unwanted)

    def groups_for(self, entry: Entry) -> tuple[str, ...]:
        """The list of groups that makes the same order here, the one that was written where that does."""
        written = tuple(each for each in _list(entry) if each.removeprefix(REMOVES) in self.profiles)
        order = self.order(entry)
        if self.ours(written) == order:
            return written
        brought = set(self.ours(order)) - set(order)
        return (*order, *(f"{REMOVES}{name}" for name in sorted(brought)))

    def nested_of(self, profile: Entry) -> tuple[str, ...]:
        """The groups that the group of a profile names."""
        if profile.source in self.flat:
            return ()
        return tuple(each for each in _list(profile) if each.removeprefix(REMOVES) in self.profiles)

    def ours(self, names: Sequence[str]) -> tuple[str, ...]:
        """The order that our rule (registry/inherit.py) makes of a list of groups."""
        return ordered(names, lambda name: self.nested_of(self.profiles[name]) if name in self.profiles else None)

    def _expanded(self, names: Iterable[str], visited: set[str], depth: int = 0) -> list[str]:
        if depth > _MOST_LEVELS:
            raise ProvisionerError(
                f"the profiles are nested deeper than {_MOST_LEVELS} levels", hint="name them side by side instead"
            )
        expanded: list[str] = []
        for name in names:
            if name.startswith(REMOVES):
                expanded.append(name)
            elif name not in visited:
                visited.add(name)
                if name in self.profiles:
                    expanded += self._expanded(_list(self.profiles[name]), visited, depth + 1)
                expanded.append(name)
        return expanded


def effective(layers: Iterable[Fields]) -> Fields:
    """What a node says after its profiles, weakest first. Lists keep no item that any `~item` names."""
    merged: Fields = {}
    for layer in layers:
        for path, said in layer.items():
            weaker = merged.get(path)
            if said.value is REMOVED:
                merged.pop(path, None)
            elif isinstance(said.value, tuple) and weaker is not None and not said.replaces:
                merged[path] = Said((*weaker.value, *said.value), (*weaker.places, *said.places))
            else:
                merged[path] = said
    return {path: _cleaned(said) for path, said in merged.items()}


def appended(weaker: Sequence[str], stronger: Sequence[str]) -> tuple[str, ...]:
    """A list after a stronger one, by our rule (registry/facts.py), marks of removal left out at the end."""
    kept = dict.fromkeys(weaker)
    for item in stronger:
        if item.startswith(REMOVES):
            kept.pop(item.removeprefix(REMOVES), None)
            kept[item] = None
        else:
            kept.pop(f"{REMOVES}{item}", None)
            kept.setdefault(item)
    return tuple(kept)


def shown(items: Sequence[str]) -> tuple[str, ...]:
    """A list without its marks of removal."""
    return tuple(item for item in items if not item.startswith(REMOVES))


def _cleaned(said: Said) -> Said:
    if not isinstance(said.value, tuple):
        return said
    unwanted = {item.removeprefix(REMOVES) for item in said.value if item.startswith(REMOVES)}
    return Said(tuple(dict.fromkeys(item for item in shown(said.value) if item not in unwanted)), said.places)


def _list(entry: Entry) -> tuple[str, ...]:
    said = entry.fields.get(GROUPS)
    return said.value if said else ()


def _wanted(entry: Entry) -> set[str]:
    return set(shown(_list(entry)))


def _is_circular(start: str, nests: Mapping[str, set[str]]) -> bool:
    """Whether a profile leads back to itself, or to a chain that is too long."""
    seen: set[str] = set()
    front = set(nests[start])
    for _ in range(_DEEPEST):
        if start in front:
            return True
        seen |= front
        front = {below for name in front for below in nests[name]} - seen
        if not front:
            return False
    return True
