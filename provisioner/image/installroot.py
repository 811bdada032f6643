"""Run a program of this machine that installs packages into a tree, such as dnf with --installroot.

Scripts of the packages run in the tree, so it has /proc, /dev, /run and /tmp of its own meanwhile. They are
mounted in a namespace that ends with the program, and the program ends with this process.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn

from provisioner.host.run import require, run
from provisioner.image import inside
from provisioner.image.furniture import Places, furnish
from provisioner.image.namespaces import die_with_parent, leave

# As the package `filesystem` has them: it does not touch them while they are mounted on.
_FOLDERS = {"proc": 0o555, "sys": 0o555, "dev": 0o755, "run": 0o755, "tmp": 0o1777}
_HOURS = 3 * 3600
_NOT_STARTED = 125


def prepare(tree: Path) -> None:
    """Make a new tree with the folders that are mounted on."""
    tree.mkdir(mode=0o755)
    for name, mode in _FOLDERS.items():
        (tree / name).mkdir()
        (tree / name).chmod(mode)


def run_for(
    tree: Path,
    command: Sequence[str | os.PathLike[str]],
    *,
    output: IO[bytes],
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a program of this machine while a tree is furnished; CommandError when it fails."""
    require(os.fspath(command[0]))
    package = Path(__file__).resolve().parents[2]
    keeper = [sys.executable, "-P", "-m", "provisioner.image.installroot", str(os.getpid()), str(tree)]
    settings = {"PYTHONPATH": str(package), **(environment or {})}
    run([*keeper, *command], timeout=_HOURS, stdout=output, environment=settings)


def main(arguments: list[str]) -> int:
    """Furnish the tree in the second argument, and run the rest; the first is the process to end with."""
    parent, tree, *command = arguments
    die_with_parent(int(parent))
    # A variable of this interpreter's own must not mislead a program that is written in Python.
    os.environ.pop("PYTHONPATH", None)
    leave(network=False)
    child = os.fork()
    if child == 0:
        _start(tree, command)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status if status >= 0 else 128 - status


def _start(tree: str, command: list[str]) -> NoReturn:
    die_with_parent()
    socket.sethostname("localhost")
    places = Places(tree, **{name: str(inside.resolve(Path(tree), f"/{name}")) for name in _FOLDERS})
    try:
        furnish(places, (), read_only=False, terminal=False)
    except OSError as error:
        sys.stderr.write(f"cannot prepare {tree}: {error}\n")
        os._exit(_NOT_STARTED)
    os.execvp(command[0], command)  # noqa: S606 - a shell would only be in the way


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
