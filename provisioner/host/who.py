"""Who does this: the person behind a command, also behind sudo."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_LOGIN = Path("/proc/self/loginuid")
# What the kernel says of a process that no login started, such as a service (`loginuid` of proc(5)).
_UNSET = 2**32 - 1


def who(environment: Mapping[str, str] | None = None, uid: int | None = None, login: Path = _LOGIN) -> str:
    """The name of the person who runs this process.

    That is who called sudo, else who logged in (which `su` does not change), else the user of the process.
    A record, no proof: root can claim to be anybody.
    """
    variables = os.environ if environment is None else environment
    effective = os.geteuid() if uid is None else uid
    if effective == 0 and variables.get("SUDO_USER"):
        return variables["SUDO_USER"]
    with suppress(OSError, ValueError):
        logged_in = int(login.read_text())
        if logged_in != _UNSET:
            return name_of(logged_in)
    return name_of(effective)


def name_of(uid: int) -> str:
    """The name of a user, such as the peer of a Unix socket; `uid 1234` where this machine knows none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
