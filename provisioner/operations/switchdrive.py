"""A switch on its way: nodes are restarted, their boots watched, and what is seen is written down.

All that is known is in the site's files and in the events, so that a drive may end at any moment, and another one
goes on where it was. Of several at once, one drives and the others look on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

from provisioner.config.paths import Paths
from provisioner.errors import CommandError, ConflictError, UnavailableError
from provisioner.events.history import History
from provisioner.host.files import locked
from provisioner.host.run import run
from provisioner.image.store import catalogue
from provisioner.model.boot import BootRecord
from provisioner.model.switch import Switch, SwitchState, restart_words
from provisioner.operations.change import commit, draft
from provisioner.operations.switches import find, present, record
from provisioner.operations.switchstep import judge
from provisioner.registry.view import SiteView

Say = Callable[[str], None]

_LOOK_SECONDS = 2.0
_RESTART_SECONDS = 120.0
_AT_ONCE = 8


@dataclass
class Drive:
    """One drive of one switch. `say` gets a line for everything that happens; `command` is what was typed."""

    paths: Paths
    name: str
    command: str
    say: Say
    _asked: set[str] = field(default_factory=set)
    _refused: dict[str, str] = field(default_factory=dict)
    _looks_on: bool = False

    def run(self) -> Switch:
        """Go on until nothing is left to do, the switch stops, or somebody pauses it. Raises what `commit` raises.

        Every wait is bounded by the patience of the switch. While another process drives the same switch this one
        only tells what happens; it drives when that one has ended.
        """
        with ExitStack() as held:
            drives, before = False, None
            while True:
                view = SiteView.of(self.paths)
                switch = present(view, find(view, self.name))
                self._tell(before or switch, switch)
                if switch.state is not SwitchState.RUNNING:
                    return switch
                drives, before = drives or self._take(held), switch
                if not (drives and self._step(switch)):
                    time.sleep(_LOOK_SECONDS)

    def _take(self, held: ExitStack) -> bool:
        """Be the one that drives; False while another process is."""
        try:
            held.enter_context(locked(self.paths.state / "locks" / f"switch-{self.name}", wait=False))
        except ConflictError:
            if not self._looks_on:
                self.say(f"another prov drives the switch {self.name}; this one looks on")
            self._looks_on = True
            return False
        return True

    def _step(self, switch: Switch) -> bool:
        """Write what is seen, or restart who has to be; whether there was something to write."""
        boots = History(self.paths.events).newest_of(switch.moved)
        if self._judged(switch, boots) == switch:
            self._restart(switch, boots)
            return False
        self._write(boots)
        return True

    def _judged(self, switch: Switch, boots: Mapping[str, BootRecord]) -> Switch:
        return judge(switch, boots, now=time.time(), refused=self._refused)

    def _write(self, boots: Mapping[str, BootRecord]) -> None:
        plan = record(self.name, lambda switch: self._judged(switch, boots))
        try:
            drafted = draft(self.paths, catalogue(self.paths), plan)
            if not drafted.files:
                return
            applied = commit(drafted, command=self.command, message=f"switch {self.name}: what was seen")
        except ConflictError:
            # Somebody else wrote meanwhile; the next look begins with what is written then.
            return
        if applied.unserved:
            self.say(f"warning: the daemon does not serve what is written: {applied.unserved}")

    def _restart(self, switch: Switch, boots: Mapping[str, BootRecord]) -> None:
        """Restart nodes that have not begun to boot since they were moved, each once."""
        begun = {name for name, boot in boots.items() if boot.opened >= switch.since}
        names = [name for name in switch.unsettled if name not in self._asked and name not in begun]
        self._asked.update(names)
        if names and switch.pace.reboot:
            self.say(f"restart {', '.join(names)}")
            self._refused |= restart(switch.pace.reboot, names)
        elif names:
            self.say(f"restart now, to boot {switch.to}: {', '.join(names)}")

    def _tell(self, before: Switch, after: Switch) -> None:
        for name in sorted(after.ready - before.ready):
            self.say(f"{name} runs {after.to} and is ready")
        for name in sorted(after.failed.keys() - before.failed.keys()):
            self.say(f"{name} failed: {after.failed[name]}")
        known = frozenset(before.moved)
        if following := [name for name in after.moved if name not in known]:
            self.say(f"moved to {after.to}: {', '.join(following)}")


def restart(command: str, names: Iterable[str]) -> dict[str, str]:
    """Run a command for each node, several at once; the reasons for those where it failed."""

    def one(name: str) -> tuple[str, str]:
        try:
            run(restart_words(command, name), timeout=_RESTART_SECONDS)
        except (CommandError, UnavailableError) as error:
            return name, " ".join(error.message.split())
        return name, ""

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return {name: reason for name, reason in pool.map(one, names) if reason}
