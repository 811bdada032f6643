#!/usr/bin/env python3
"""Print the part of requirements.lock that the product needs when it runs, digests included.

What `pip install --require-hashes` takes: the closure of what pyproject.toml depends on, as the environment has it
that this script runs in. What only developers need stays out.
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCK = Path(__file__).with_name("requirements.lock")
PROJECT = LOCK.parent.parent / "pyproject.toml"
_ENTRY = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?==.*(?:\n[ \t]+.*)*", re.MULTILINE)


def needed(lines: list[str]) -> set[str]:
    """The names of what these requirements ask for, directly and indirectly, on this system."""
    found: set[str] = set()
    waiting = list(lines)
    while waiting:
        each = Requirement(waiting.pop())
        name = canonicalize_name(each.name)
        if name not in found and (each.marker is None or each.marker.evaluate({"extra": ""})):
            found.add(name)
            waiting += requires(each.name) or ()
    return found


def runtime_lock(lock: str, names: set[str]) -> str:
    """The entries of a lock that have one of these names; KeyError where one is missing."""
    entries = {canonicalize_name(each["name"]): each[0] for each in _ENTRY.finditer(lock)}
    return "".join(f"{entries[name]}\n" for name in sorted(names))


if __name__ == "__main__":
    # What is installed of the product itself may be older than this checkout.
    wanted = tomllib.loads(PROJECT.read_text())["project"]["dependencies"]
    sys.stdout.write(runtime_lock(LOCK.read_text(), needed(wanted)))
