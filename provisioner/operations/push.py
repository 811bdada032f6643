"""Having nodes look at their runtime overlays now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from provisioner.config.paths import Paths
from provisioner.errors import UnavailableError
from provisioner.operations import live


@dataclass(frozen=True, slots=True)
class Pushed:
    """Names of nodes: `told` look now, `next` will when they ask, `limited` were told a moment ago."""

    told: tuple[str, ...]
    next: tuple[str, ...]
    limited: tuple[str, ...]


def push(paths: Paths, names: Sequence[str]) -> Pushed:
    """Have nodes fetch their runtime overlays and look at every file again, even where nothing changed.

    Nothing is sent to them but the answer to their own question. What was written a moment ago is served first.
    Raises UnavailableError when the daemon does not run, or does not answer.
    """
    live.reload(paths)
    answer = live.push(paths, names)
    if answer is None:
        raise UnavailableError(
            "the daemon does not run, so no node waits for it", hint="start it with: prov serve"
        )
    return Pushed(tuple(answer["told"]), tuple(answer["next"]), tuple(answer["limited"]))
