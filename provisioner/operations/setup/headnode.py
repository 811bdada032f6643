"""The whole set-up: look, plan, refuse what clashes, and do it step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import ProvisionerError
from provisioner.operations.doctor.examination import Diagnosis, examine
from provisioner.operations.doctor.finding import HEAD
from provisioner.operations.init import site_content
from provisioner.operations.setup.carry import carry_out
from provisioner.operations.setup.facts import Facts, Wish
from provisioner.operations.setup.holders import clashes, demand_free
from provisioner.operations.setup.look import SYSTEM, look, paths_below
from provisioner.operations.setup.plan import new_site, plan
from provisioner.operations.setup.steps import Step


@dataclass(frozen=True)
class Setup:
    """A set-up that was worked out and not begun."""

    facts: Facts
    steps: tuple[Step, ...]

    @property
    def is_done(self) -> bool:
        """Whether there is nothing left to change."""
        return not any(each.change for each in self.steps)


def work_out(wish: Wish, prefix: Path = SYSTEM) -> Setup:
    """What it takes to make this machine (or the one below `prefix`) a head node.

    Raises ConflictError when another program has a port of ours, NotFoundError and ProvisionerError when the
    place of the nodes cannot be told, and ConfigError when the new site would have mistakes.
    """
    facts = look(wish, prefix)
    demand_free(clashes(facts.holders, facts.place, facts.ports))
    if not facts.has_site:
        site_content(new_site(facts, wish))
    return Setup(facts, plan(facts, wish))


def set_up(made: Setup, tell: Callable[[Step], None]) -> None:
    """Carry out what is left to do, telling each step before it is done. Raises what `carry_out` raises."""
    for step in made.steps:
        if step.change:
            tell(step)
            carry_out(step, made.facts.prefix)


def examined(made: Setup) -> Diagnosis | None:
    """What is wrong with the head node, whatever its nodes do; None where the daemon was not meant to run."""
    if made.facts.unit is None or made.facts.unit.active is None:
        return None
    found = examine(paths_below(made.facts.prefix)).findings
    return Diagnosis(tuple(each for each in found if each.subject == HEAD))


def demand_root(effective: int) -> None:
    """Raise ProvisionerError unless the program runs as root."""
    if effective != 0:
        raise ProvisionerError("only root can set up a head node", hint="sudo prov setup ...")
