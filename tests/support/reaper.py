"""reaper.py PROGRAM [ARGUMENT...]: run a program, and take the exit status of whatever it leaves behind.

The first process of a lab's namespace takes none (provisioner.lab.namespace), so a daemon that waits until its
orphans are gone would wait for ever.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

_PR_SET_CHILD_SUBREAPER = 36


def main() -> int:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    program = subprocess.Popen(sys.argv[1:])
    while True:
        pid, status = os.wait()
        if pid == program.pid:
            return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
