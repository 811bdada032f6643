"""Programs run in an image: to change it, which makes a new generation, or to look around."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.errors import ConflictError
from provisioner.image import inside, store, veneer
from provisioner.image.build import Obtained, build
from provisioner.image.chamber import check_binds, look_inside, run_inside
from provisioner.image.copies import copy_tree
from provisioner.image.scratch import using
from provisioner.image.unpack import require_root
from provisioner.model.image import Generation, Origin, Packing
from provisioner.operations.imagemade import Made, served
from provisioner.operations.overlayrender import Trees
from provisioner.overlay.manifest import FOLDER, MANIFEST

Say = Callable[[str], None]

_SHELLS = ("/bin/bash", "/bin/sh")


@dataclass(frozen=True, slots=True)
class Room:
    """What a program in an image gets of this machine: binds (`SRC:DST[:ro]`), network, input and terminal."""

    binds: tuple[str, ...] = ()
    network: bool = False
    interactive: bool = True


@dataclass(frozen=True, slots=True)
class Executed:
    """How a program ended, and the generation that its changes made; None where they were thrown away."""

    status: int
    made: Made | None


class _FailedError(Exception):
    """The program failed, and its changes go."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def exec_image(
    paths: Paths,
    reference: str,
    command: Sequence[str],
    room: Room,
    *,
    note: str = "",
    keep: bool = False,
    packing: Packing | None = None,
    say: Say = lambda _: None,
) -> Executed:
    """Run a program on a copy of a generation and make the next one of what it leaves.

    When it fails nothing is made, unless `keep`; when it changes nothing, the generation stays what it was. The
    result is packed as the generation was, but for what `packing` sets. Raises what `image.build.build` and
    `image.chamber.run_inside` raise.
    """
    require_root()
    parent = store.find(paths, reference)
    check_binds(store.find_tree(paths, parent), room.binds, network=room.network)
    chosen = parent.packing.model_copy(update=packing.model_dump(exclude_unset=True) if packing else {})
    changed = chosen != parent.packing
    ended: list[int] = []

    def obtain(tree: Path) -> Obtained:
        say(f"copy the tree of {parent.name}")
        copy_tree(store.find_tree(paths, parent), tree)
        status = run_inside(tree, command, binds=room.binds, network=room.network, interactive=room.interactive)
        ended.append(status)
        if status != 0 and not keep:
            raise _FailedError(status)
        return derived(parent, Origin(kind="command", reference=shlex.join(command)), note=note, packed=changed)

    try:
        outcome = build(paths, parent.image, obtain, say=say, packing=chosen)
    except _FailedError as error:
        return Executed(error.status, None)
    return Executed(ended[0], served(paths, outcome))


def look(paths: Paths, reference: str, command: Sequence[str], room: Room, *, node: str | None = None) -> int:
    """Run a program on a generation that it cannot change, and return its exit status.

    With `node` the files of that node's overlays lie on top, secrets included, as it would boot this generation.
    Raises what `image.chamber.look_inside` and `Trees.written` raise, and NotFoundError.
    """
    require_root()
    generation = store.find(paths, reference)
    store.prepare(paths)
    with using(paths), _scratch(paths) as folder:
        tree, mount = store.find_tree(paths, generation), folder / "mount"
        check_binds(tree, room.binds, network=room.network)
        mount.mkdir()
        layers = [] if node is None else [_overlays(paths, generation, node, tree, folder / "node")]
        return look_inside(
            tree,
            command,
            mount=mount,
            layers=layers,
            binds=room.binds,
            network=room.network,
            interactive=room.interactive,
        )


def shell_of(paths: Paths, reference: str) -> tuple[str, ...]:
    """The command that starts the best shell of a generation."""
    tree = store.find_tree(paths, store.find(paths, reference))
    found = next((each for each in _SHELLS if inside.is_regular(inside.resolve(tree, each))), _SHELLS[-1])
    return (found, "-l")


def derived(
    parent: Generation, origin: Origin, *, note: str, warnings: tuple[str, ...] = (), packed: bool = False
) -> Obtained:
    """The story of a tree that was made from the one of a generation; `packed`: in another way than that."""
    return Obtained(
        origin,
        # After every time in the parent, and the same whenever it is done again.
        epoch=int(parent.created),
        warnings=warnings,
        parent=parent.name,
        note=note,
        may_be_base=not parent.boots,
        unchanged=None if packed else parent,
    )


@contextmanager
def _scratch(paths: Paths) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="look-", dir=paths.images / "tmp") as folder:
        yield Path(folder)


def _overlays(paths: Paths, generation: Generation, node: str, tree: Path, folder: Path) -> Path:
    trees = Trees.written(paths, reveal=True)
    nodes = trees.nodes(node)
    if len(nodes) != 1:
        raise ConflictError(f"{node} is {len(nodes)} nodes", hint="name one: an image is seen as one node sees it")
    entries = [each.entry for each in trees.made(nodes[0], generation.name)]
    declared = next((each.content for each in entries if each.path == MANIFEST), b"")
    lines = [line.split("\t") for line in declared.decode("utf-8", "surrogateescape").splitlines()]
    removed = [words[1] for words in lines if words[0] == "remove"]
    veneer.write(folder, tree, [each for each in entries if not each.path.startswith(FOLDER)], removed)
    return folder
