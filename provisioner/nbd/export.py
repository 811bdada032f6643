"""What is served under one name: files one after the other, read without ever holding up the event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import IntegrityError


@dataclass(frozen=True, slots=True)
class Part:
    """A file of an export, and how many bytes of it."""

    path: Path
    size: int


def pieces(sizes: Sequence[int], offset: int, length: int) -> Iterator[tuple[int, int, int]]:
    """Which part, from where in it, and how many bytes: a stretch of the export in the order of its parts."""
    for index, size in enumerate(sizes):
        if offset < size and length > 0:
            count = min(length, size - offset)
            yield index, offset, count
            length -= count
        offset = max(0, offset - size)


class Export:
    """The open files of an export. Raises IntegrityError where one is missing or shorter than it should be."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._sizes = [part.size for part in parts]
        self._stack = ExitStack()
        self._files: list[int] = []
        self.size = sum(self._sizes)
        try:
            for part in parts:
                self._add(part)
        except OSError as error:
            self.close()
            raise IntegrityError(f"{error.filename} cannot be read: {error.strerror}") from error
        except IntegrityError:
            self.close()
            raise

    def _add(self, part: Part) -> None:
        file = os.open(part.path, os.O_RDONLY | os.O_CLOEXEC)
        self._stack.callback(os.close, file)
        self._files.append(file)
        if os.fstat(file).st_size != part.size:
            raise IntegrityError(f"{part.path} has not the {part.size} bytes that it should have")

    def close(self) -> None:
        """Close the files."""
        self._stack.close()

    async def read(self, offset: int, length: int, threads: Executor) -> bytearray:
        """Bytes of the export. OSError where they cannot be read."""
        buffer = bytearray(length)
        view = memoryview(buffer)
        for index, start, count in pieces(self._sizes, offset, length):
            await _fill(self._files[index], view[:count], start, threads)
            view = view[count:]
        return buffer


async def _fill(file: int, view: memoryview, offset: int, threads: Executor) -> None:
    """Read at once what is in memory; for a disk a thread waits."""
    try:
        done = os.preadv(file, [view], offset, os.RWF_NOWAIT)
    except OSError:
        # Not in memory, or a file system that cannot tell.
        done = 0
    if done < len(view):
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(threads, _fill_waiting, file, view[done:], offset + done)


def _fill_waiting(file: int, view: memoryview, offset: int) -> None:
    while view:
        done = os.preadv(file, [view], offset)
        if not done:
            raise OSError("the file is shorter than it was")
        view, offset = view[done:], offset + done
