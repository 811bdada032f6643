"""Programs for ARM64 run on this machine, for the time and the children of one command, and for nobody else.

Since Linux 6.7 each user namespace has its own binfmt_misc: what is registered there, the machine never hears of.
All numbers of users are themselves in there, so files get the owners that they shall have.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

# Documentation/admin-guide/binfmt-misc.rst: type and machine of the ELF header; by F chroots have it too.
_MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
_ENTER = """
echo here
read -r mapped
mount --make-rprivate / && mount -t proc proc /proc || exit
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc || exit
printf %s "$1" >/proc/sys/fs/binfmt_misc/register || exit
shift
exec "$@" </dev/null
"""


def run_emulated(qemu: Path, command: Sequence[str], *, timeout: float) -> str:
    """Run a command, by root; `qemu` is a static qemu-aarch64. What it prints; an AssertionError when it fails."""
    rule = f":qemu-aarch64:M::{_MAGIC}:{_MASK}:{qemu}:OCF"
    entered = ["unshare", "--user", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", _ENTER, "sh", rule]
    with subprocess.Popen(
        [*entered, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{process.pid}/{name}").write_text("0 0 65536\n")
        try:
            output, _ = process.communicate("mapped\n", timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert process.returncode == 0, f"{' '.join(command)}: {output}"
    return output
