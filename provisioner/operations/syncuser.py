"""Users and groups of an image get the ids that their names have on this machine, in files or in another image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError
from provisioner.image import remap, store, syncuser
from provisioner.image.build import Obtained, build
from provisioner.image.copies import copy_tree
from provisioner.image.remap import Accounts, Moves, Remap
from provisioner.image.scratch import using
from provisioner.image.syncuser import Census
from provisioner.image.unpack import require_root
from provisioner.model.image import Generation, Origin
from provisioner.operations.imageexec import derived
from provisioner.operations.imagemade import Made, served

Say = Callable[[str], None]

HOST = (Path("/etc/passwd"), Path("/etc/group"))


@dataclass(frozen=True, slots=True)
class Model:
    """Whose ids an image gets: `source` says it in words; `accounts` are its names and ids."""

    source: str
    accounts: Accounts

    def only(self, names: Collection[str]) -> Model:
        """The same for some names of users and groups only. NotFoundError for one that the model lacks."""
        users, groups = (
            tuple(each for each in table if each[0] in names)
            for table in (self.accounts.users, self.accounts.groups)
        )
        missing = set(names) - {name for name, _ in (*users, *groups)}
        if missing:
            raise NotFoundError(f"{self.source} has no user or group {', '.join(sorted(missing))}")
        return Model(self.source, Accounts(users, groups))


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """What a synchronisation would do to a generation: the moves, and who owns how much of its tree."""

    generation: Generation
    model: Model
    remap: Remap
    census: Census

    def rows(self) -> list[dict[str, Any]]:
        """A row for every id that moves: kind, name, old, new, files and why."""
        return [
            *_rows("user", self.remap.users, self.census.users),
            *_rows("group", self.remap.groups, self.census.groups),
        ]

    @property
    def clashes(self) -> tuple[str, ...]:
        """What cannot be had, in words."""
        users = (f"user {text}" for text in self.remap.users.clashes)
        return (*users, *(f"group {text}" for text in self.remap.groups.clashes))


def model_of_files(passwd: Path = HOST[0], group: Path = HOST[1]) -> Model:
    """The accounts in a passwd and a group file; this machine's own when none are given."""
    try:
        accounts = syncuser.parse(passwd.read_bytes(), group.read_bytes())
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no {error.filename}", hint="give two files: --from PASSWD,GROUP") from None
    return Model("this machine" if (passwd, group) == HOST else f"{passwd}", accounts)


def model_of_image(paths: Paths, reference: str) -> Model:
    """The accounts of a generation."""
    generation = store.find(paths, reference)
    return Model(generation.name, syncuser.read(store.find_tree(paths, generation)))


def plan_sync(paths: Paths, reference: str, model: Model) -> SyncPlan:
    """What would have to move in a generation; nothing is changed. Needs root's rights to look everywhere."""
    require_root()
    generation = store.find(paths, reference)
    with using(paths):
        tree = store.find_tree(paths, generation)
        there, census = syncuser.read(tree), syncuser.count(tree)
    moves = remap.plan(model.accounts, there, unnamed=census.unnamed(there))
    return SyncPlan(generation, model, moves, census)


def sync_users(paths: Paths, plan: SyncPlan, *, note: str = "", say: Say = lambda _: None) -> Made:
    """Make the next generation with the ids of the plan, packed as the one that was planned for.

    Set-id bits, capabilities and ACLs stay. Raises what `image.build.build` raises.
    """
    parent = plan.generation

    def obtain(tree: Path) -> Obtained:
        say(f"copy the tree of {parent.name}")
        copy_tree(store.find_tree(paths, parent), tree)
        say(f"move {len(plan.rows())} ids")
        warnings = (*syncuser.apply(tree, plan.remap), *plan.clashes)
        origin = Origin(kind="command", reference=f"prov image syncuser {parent.image}: as {plan.model.source}")
        return derived(parent, origin, note=note, warnings=warnings)

    return served(paths, build(paths, parent.image, obtain, say=say, packing=parent.packing))


def _rows(kind: str, moves: Moves, owned: Counter[int]) -> list[dict[str, Any]]:
    return [
        {
            "kind": kind,
            "name": ", ".join(each.names) or "-",
            "old": each.old,
            "new": each.new,
            "files": owned[each.old],
            "why": f"makes room for {each.room_for}" if each.room_for else "",
        }
        for each in moves.moves
    ]
