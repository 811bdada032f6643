"""A switch: nodes on their way from the images that they have to another one, and how far they are."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from provisioner.model.mapping import Written
from provisioner.model.name import ImageRef, Line, Name, Text
from provisioner.model.nodeset import expand, fold


def _node_set(text: str) -> str:
    if text:
        expand(text)
    return text


NodeSet = Annotated[str, AfterValidator(_node_set)]
"""Names of nodes in brackets, without groups; empty for none."""


def _reboot_command(text: str) -> str:
    if not any("{node}" in word for word in shlex.split(text)):
        raise ValueError("the command does not say {node}, so it would not restart that node")
    return text


RebootCommand = Annotated[Line, AfterValidator(_reboot_command)]
"""A command with `{node}` where the name of a node belongs, quoted as for a shell."""


class SwitchState(StrEnum):
    """What goes on with a switch.

    `running`: nodes are moved, or wait for their turn. `paused` by a person, `stopped` by failures. `moved`: all
    nodes run the new image. `finished`: their groups say so themselves. `undone`: the nodes have what they had.
    """

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    MOVED = "moved"
    FINISHED = "finished"
    UNDONE = "undone"

    @property
    def is_over(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self in (SwitchState.FINISHED, SwitchState.UNDONE)


class Pace(Written):
    """How a switch goes on: `canary` nodes first, then `batch` nodes at a time, with a stop at so many `failures`.

    A node that is not ready after `patience` seconds has failed. `reboot` is a command that restarts a node, with
    `{node}` for its name; without one a person does it.
    """

    canary: int = Field(default=1, ge=1)
    batch: int = Field(default=10, ge=1)
    failures: int = Field(default=1, ge=1)
    patience: int = Field(default=900, ge=10)
    reboot: RebootCommand | None = None


class Switch(Written):
    """What `switches.d/ID.yaml` says.

    `asked` is the set of nodes and `target` the image as they were typed, `nodes` and `to` what they meant then.
    `before` has the image of every node as it was, by generation. `images` is what counts: the image of the nodes
    that are moved or were put back.
    `failed` has the reasons. `since` is when the last nodes were moved, in Unix seconds.
    """

    to: ImageRef
    nodes: NodeSet
    asked: Text = ""
    target: Text = ""
    state: SwitchState = SwitchState.RUNNING
    before: dict[ImageRef, NodeSet] = Field(default_factory=dict, alias="from")
    images: dict[ImageRef, NodeSet] = Field(default_factory=dict)
    done: NodeSet = ""
    failed: dict[Name, Text] = Field(default_factory=dict)
    since: int = 0
    pace: Pace = Field(default_factory=Pace)

    @property
    def names(self) -> tuple[str, ...]:
        """All nodes of the switch, in order."""
        return members(self.nodes)

    @property
    def moved(self) -> tuple[str, ...]:
        """The nodes that are to boot the new image."""
        return members(self.images.get(self.to, ""))

    @property
    def ready(self) -> frozenset[str]:
        """The nodes that were seen to run the new image."""
        return frozenset(members(self.done))

    @property
    def waiting(self) -> tuple[str, ...]:
        """The nodes whose turn has not come."""
        moved = frozenset(self.moved)
        return tuple(name for name in self.names if name not in moved)

    @property
    def unsettled(self) -> tuple[str, ...]:
        """The nodes that were moved, and neither run the new image nor failed."""
        settled = self.ready.union(self.failed)
        return tuple(name for name in self.moved if name not in settled)

    def among(self, names: Collection[str]) -> Switch:
        """The same without the nodes that are not among some names."""
        gone = [name for name in self.names if name not in names]
        if not gone:
            return self
        return self.model_copy(
            update={
                "nodes": folded(name for name in self.names if name in names),
                "before": without(self.before, gone),
                "images": without(self.images, gone),
                "done": folded(sorted(self.ready.difference(gone))),
                "failed": {name: reason for name, reason in self.failed.items() if name in names},
            }
        )

    @property
    def former(self) -> Mapping[str, str]:
        """The generation that each node had, by its name."""
        return {name: image for image, nodes in self.before.items() for name in members(nodes)}


def restart_words(command: str, node: str) -> list[str]:
    """A command that restarts nodes as the words of a program for one of them."""
    return [word.replace("{node}", node) for word in shlex.split(command)]


def members(nodes: str) -> tuple[str, ...]:
    """The names in a set that may be empty."""
    return expand(nodes) if nodes else ()


def folded(names: Iterable[str]) -> str:
    """Names as a set; empty for none."""
    listed = tuple(names)
    return fold(listed) if listed else ""


def without(images: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Nodes by image with some of them taken out; no image without nodes is left."""
    gone = frozenset(names)
    left = {image: folded(node for node in members(nodes) if node not in gone) for image, nodes in images.items()}
    return {image: nodes for image, nodes in left.items() if nodes}
