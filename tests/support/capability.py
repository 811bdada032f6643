"""A test's own thread without a capability for a while."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

_VERSION_3 = 0x20080522
_NET_RAW = 13


@contextmanager
def without_raw_sockets() -> Iterator[None]:
    """Take CAP_NET_RAW out of the effective set of this thread, as for a service that was not given it."""
    # Version and process; effective, permitted and inheritable, twice 32 bits of each (capset(2)).
    header, sets = (ctypes.c_uint32 * 2)(_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    _call("capget", header, sets)
    before = sets[0]
    try:
        sets[0] = before & ~(1 << _NET_RAW)
        _call("capset", header, sets)
        yield
    finally:
        sets[0] = before
        _call("capset", header, sets)


def _call(name: str, *arguments: ctypes.Array[ctypes.c_uint32]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
