"""`ldd` for programs of another processor: which libraries a program loads, read from the files and never run.

dracut calls this file as a program (`libraries.py ROOT FILE`, through `wrapper`), once for every file: so it
imports nothing of this package. It reads what gABI chapter 5 and ld.so(8) describe of 64-bit programs.
"""

from __future__ import annotations

import os
import shlex
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MAGIC = b"\x7fELF\x02\x01"
_HEADER = struct.Struct("<16xHHIQQQIHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_ENTRY = struct.Struct("<QQ")
_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3
_NEEDED, _STRINGS, _RPATH, _RUNPATH = 1, 5, 15, 29
_DEFAULT = ("/lib64", "/usr/lib64", "/lib", "/usr/lib")
_MOST = 256 << 20


@dataclass(frozen=True, slots=True)
class Dynamic:
    """What a program says of its libraries: its interpreter, their names, and folders to look into first."""

    interpreter: str
    needed: tuple[str, ...]
    folders: tuple[str, ...]


def wrapper(root: Path, place: Path) -> Path:
    """Write a program that dracut can call as its `ldd` for files below `root`."""
    words = [sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(root)]
    place.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    place.chmod(0o755)
    return place


def read(content: bytes) -> Dynamic | None:
    """What a program says of its libraries; None for a file that is no such program, or a broken one."""
    if not content.startswith(_MAGIC):
        return None
    try:
        return _read(content)
    except (struct.error, OverflowError, ValueError):
        return None


def closure(root: Path, file: Path) -> dict[str, str] | None:
    """Every library that a program below `root` loads, and its path there; "" for a missing one.

    None when the file is not dynamic. Its links may not lead out of `root`.
    """
    first = _of(file)
    if first is None:
        return None
    configured, found, queue = _configured(root), dict[str, str](), [(file, first)]
    if first.interpreter and (root / first.interpreter.lstrip("/")).is_file():
        found[first.interpreter] = first.interpreter
    while queue:
        program, dynamic = queue.pop()
        own = [_expanded(folder, root, program) for folder in dynamic.folders]
        for name in dynamic.needed:
            if name not in found:
                found[name] = path = _search(root, name, [*own, *configured])
                below = _of(root / path.lstrip("/")) if path else None
                queue += [(root / path.lstrip("/"), below)] if below else []
    return found


def _of(file: Path) -> Dynamic | None:
    try:
        if not file.is_file() or file.stat().st_size > _MOST:
            return None
        with file.open("rb") as stream:
            return read(stream.read()) if stream.read(6) == _MAGIC and not stream.seek(0) else None
    except OSError:
        return None


def _read(content: bytes) -> Dynamic | None:
    _, _, _, _, start, _, _, _, size, count = _HEADER.unpack_from(content)
    segments = [_SEGMENT.unpack_from(content, start + number * size) for number in range(count)]
    interpreter, table = "", b""
    for kind, _, offset, _, _, length, _, _ in segments:
        if kind == _INTERPRETER:
            interpreter = _text(content, offset)
        elif kind == _DYNAMIC:
            table = content[offset : offset + length]
    if not table:
        return None
    entries = list(_ENTRY.iter_unpack(table[: len(table) // _ENTRY.size * _ENTRY.size]))
    strings = _offset(segments, next((value for tag, value in entries if tag == _STRINGS), 0))
    needed = tuple(_text(content, strings + value) for tag, value in entries if tag == _NEEDED)
    listed = [_text(content, strings + value) for tag, value in entries if tag in (_RPATH, _RUNPATH)]
    return Dynamic(interpreter, needed, tuple(each for text in listed for each in text.split(":") if each))


def _offset(segments: list[tuple[int, ...]], address: int) -> int:
    """Where in the file an address of the loaded program is."""
    for kind, _, offset, start, _, length, _, _ in segments:
        if kind == _LOAD and start <= address < start + length:
            return address - start + offset
    raise ValueError(address)


def _text(content: bytes, at: int) -> str:
    return content[at : content.index(b"\0", at)].decode("ascii")


def _expanded(folder: str, root: Path, program: Path) -> str:
    origin = f"/{program.parent.relative_to(root)}"
    return folder.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)


def _search(root: Path, name: str, folders: list[str]) -> str:
    # Names and folders are an image's own words: none leads out of it, and none breaks the line that it is put on.
    places = [name] if "/" in name else [f"{folder}/{name}" for folder in (*folders, *_DEFAULT)]
    for place in (os.path.normpath(f"/{each.lstrip('/')}") for each in places):
        if not set(place) & set(" \t\n$") and (root / place.lstrip("/")).is_file():
            return place
    return ""


def _configured(root: Path) -> list[str]:
    files = [root / "etc/ld.so.conf", *sorted((root / "etc/ld.so.conf.d").glob("*.conf"))]
    return [folder for file in files if file.is_file() for folder in _folders(file)]


def _folders(file: Path) -> Iterator[str]:
    for line in file.read_text(errors="replace").splitlines():
        words = line.split("#")[0].split()
        if len(words) == 1 and words[0].startswith("/"):
            yield words[0]


def main(words: list[str]) -> int:
    """What `ldd FILE` prints, of files below a root."""
    root, file = Path(words[0]), Path(words[1])
    found = closure(root, file)
    if found is None:
        sys.stdout.write("\tnot a dynamic executable\n")
        return 1
    for name, path in found.items():
        sys.stdout.write(f"\t{name} => {path or 'not found'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
