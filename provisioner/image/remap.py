"""Which ids of an image's users and groups have to move so that its names have the numbers they have elsewhere.

Pure: it knows names and numbers, no files. Users and groups are planned apart, by the same rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain

_ROOT = 0
# login.defs(5): below are accounts of the system.
_FIRST_PERSON = 1000
_LAST_PERSON = 60000
_FIRST_SYSTEM = 201

Named = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Move:
    """An id that changes, the names that have it, and the name that it makes room for, if that is why."""

    names: tuple[str, ...]
    old: int
    new: int
    room_for: str = ""


@dataclass(frozen=True, slots=True)
class Moves:
    """What happens to the users of an image, or to its groups; `clashes` say what cannot be had, in words."""

    moves: tuple[Move, ...] = ()
    clashes: tuple[str, ...] = ()

    @property
    def by_id(self) -> Mapping[int, int]:
        """The new id of every old one that changes: one map, to be applied to all files at once."""
        return {move.old: move.new for move in self.moves}


@dataclass(frozen=True, slots=True)
class Accounts:
    """Users and groups, names and ids in the order of their files."""

    users: tuple[Named, ...] = ()
    groups: tuple[Named, ...] = ()


NONE = Accounts()


@dataclass(frozen=True, slots=True)
class Remap:
    """The moves of users and of groups of an image."""

    users: Moves = field(default_factory=Moves)
    groups: Moves = field(default_factory=Moves)

    def __bool__(self) -> bool:
        return bool(self.users.moves or self.groups.moves)


def plan(here: Accounts, there: Accounts, *, unnamed: Accounts = NONE) -> Remap:
    """How the accounts of an image (`there`) get the ids of `here`, by name.

    No two ids become one, and root stays root. An id that another name of the image has is freed: that name moves
    on, to its own place, or to a free number when `here` does not know it. So do ids that files have without any
    name (`unnamed`). Planning again after the moves plans none.
    """
    return Remap(
        plan_ids(here.users, there.users, unnamed={number for _, number in unnamed.users}),
        plan_ids(here.groups, there.groups, unnamed={number for _, number in unnamed.groups}),
    )


def plan_ids(here: Iterable[Named], there: Iterable[Named], *, unnamed: Iterable[int] = ()) -> Moves:
    """The moves of names with ids, of users or of groups: see `plan`."""
    known_here = tuple(here)
    wanted = dict(reversed(known_here))
    names: dict[int, list[str]] = {number: [] for number in sorted(unnamed)}
    for name, number in there:
        names.setdefault(number, []).append(name)
    goals, torn = _goals(names, wanted)
    claimed, refused = _claims(goals)
    free = _Free({*(number for _, number in known_here), *names})
    moves = []
    for old, known in names.items():
        goal = goals[old][1] if old in goals else old
        if claimed.get(goal) == old and goal != old:
            moves.append(Move(tuple(known), old, goal))
        elif claimed.get(old, old) != old:
            moves.append(Move(tuple(known), old, free.next(old), room_for=goals[claimed[old]][0]))
    return Moves(tuple(moves), (*torn, *refused))


def _goals(
    names: Mapping[int, list[str]], wanted: Mapping[str, int]
) -> tuple[dict[int, tuple[str, int]], list[str]]:
    """Where each id should go and for which name, and what is said of names that share an id and should not."""
    goals: dict[int, tuple[str, int]] = {}
    torn: list[str] = []
    for number, all_ in names.items():
        known = [name for name in all_ if name in wanted]
        # One id can go to one place: the first name decides, as it does for whoever looks the id up.
        if known and number != _ROOT:
            goals[number] = (known[0], wanted[known[0]])
        torn += [
            f"{other} shares {number} with {known[0]} in the image, and goes where that goes"
            for other in known[1:]
            if wanted[other] != wanted[known[0]]
        ]
    return goals, torn


def _claims(goals: Mapping[int, tuple[str, int]]) -> tuple[dict[int, int], list[str]]:
    """Which id gets each new one: who has it already comes first. And what is said to others that wanted it."""
    claimed = {_ROOT: _ROOT, **{goal: number for number, (_, goal) in goals.items() if goal == number}}
    refused = []
    for number, (name, goal) in goals.items():
        taker = claimed.setdefault(goal, number)
        if taker != number:
            other = goals[taker][0] if taker in goals else "root"
            refused.append(f"{name} cannot have {goal}: {other} has it")
    return claimed, refused


class _Free:
    """Numbers that nobody has: for accounts of the system the highest of theirs, for people the lowest."""

    def __init__(self, taken: Iterable[int]) -> None:
        self._taken = set(taken)

    def next(self, old: int) -> int:
        people = range(_FIRST_PERSON, _LAST_PERSON + 1)
        system = range(_FIRST_PERSON - 1, _FIRST_SYSTEM - 1, -1)
        found = next(
            each for each in chain(system if old < _FIRST_PERSON else (), people) if each not in self._taken
        )
        self._taken.add(found)
        return found
