"""A copy of this machine to install things on: its files under an overlay in memory, a network of its own."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from provisioner.lab.namespace import Namespace

ADDRESS = "10.77.0.1/16"
DEVICE = "prov0"
_TOP = Path("/mnt")
_ROOT = _TOP / "root"


class SystemCopy:
    """A context manager. What is changed in the copy is gone afterwards; no service runs in it."""

    def __init__(self) -> None:
        self._namespace = Namespace()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._namespace)
            self._mount()
            for words in (
                ("link", "add", DEVICE, "type", "veth", "peer", "name", "nobody"),
                ("link", "set", "nobody", "up"),
                ("address", "add", ADDRESS, "dev", DEVICE),
                ("link", "set", DEVICE, "up"),
            ):
                self._namespace.run(["ip", *words])
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def shell(self, command: str, *, timeout: float = 300) -> str:
        """What a command of root's prints in the copy, errors included; it must succeed."""
        return self._namespace.run(["chroot", _ROOT, "sh", "-ec", f"exec 2>&1; {command}"], timeout=timeout)

    def bring(self, file: Path) -> str:
        """Put a file into the copy, and return its path there."""
        self._namespace.run(["cp", file, _ROOT / "srv" / file.name])
        return f"/srv/{file.name}"

    def _mount(self) -> None:
        run = self._namespace.run
        run(["mount", "-t", "tmpfs", "tmpfs", _TOP])
        run(["mkdir", _TOP / "upper", _TOP / "work", _ROOT])
        places = f"lowerdir=/,upperdir={_TOP}/upper,workdir={_TOP}/work"
        run(["mount", "-t", "overlay", "overlay", "-o", places, _ROOT])
        run(["mount", "-t", "proc", "proc", _ROOT / "proc"])
        run(["mount", "--rbind", "/dev", _ROOT / "dev"])
        run(["mount", "-t", "tmpfs", "tmpfs", _ROOT / "run"])
        run(["mount", "-t", "tmpfs", "tmpfs", _ROOT / "tmp"])
