"""A root of its own in which the agent's scripts run as they do on a node.

The files of this machine lie below, a folder in memory above, and the daemon of a test is the head node.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from provisioner.config.paths import shipped_data
from provisioner.errors import CommandError
from provisioner.lab.namespace import Namespace
from tests.support.daemon import URL, Machine

AGENT = shipped_data() / "overlays/agent/rootfs/usr/libexec/provisioner"
# Every program that the script starts; each start is a step at which it can be killed.
PROGRAMS = (
    *("cat", "chcon", "chmod", "chown", "cp", "cpio", "curl", "cut", "date", "find", "flock", "grep", "head"),
    *(
        "mkdir",
        "mv",
        "readlink",
        "rm",
        "rmdir",
        "sed",
        "setcap",
        "sha256sum",
        "sort",
        "stat",
        "sync",
        "tail",
        "touch",
    ),
    "tr",
)
_STEP = """\
#!/bin/sh
# Appended: the programs of a pipeline start at once, and one that is killed must not leave the count empty.
echo step >> /steps
n=0; while read -r _; do n=$((n + 1)); done < /steps
read -r last < /last
[ $n -lt $last ] || kill -KILL 0
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec "${0##*/}" "$@"
"""
_SYSTEMCTL = '#!/bin/sh\necho "$*" >> /systemctl.log\n'
_MAKE = """\
set -e
mount -t tmpfs box "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" box "$1/root"
cd "$1/root"
mount --bind /proc proc
mount --bind /dev dev
mkdir -p run/provisioner usr/libexec/provisioner step
cp "$2/overlay" usr/libexec/provisioner/overlay
chmod 755 usr/libexec/provisioner/overlay
: > systemctl.log
rm -rf etc/box srv/box
mkdir etc/box
"""


@dataclass(frozen=True, slots=True)
class Found:
    """What a file of the box is: its content, mode, owner, inode and change time."""

    text: str
    mode: str
    owner: str
    inode: str


class AgentBox:
    """The scratch root of one machine."""

    def __init__(self, namespace: Namespace, folder: Path, machine: Machine, token: str) -> None:
        self._namespace = namespace
        folder.mkdir()
        namespace.run(["sh", "-c", _MAKE, "sh", folder, AGENT])
        self._root = folder / "root"
        self.machine = machine
        self.write("/run/provisioner/url", URL + "\n")
        self.write("/run/provisioner/token", token)
        self._program("/usr/local/sbin/systemctl", _SYSTEMCTL)
        for name in PROGRAMS:
            self._program(f"/step/{name}", _STEP)

    def sh(self, script: str, *words: str) -> str:
        """Run a script of sh inside and return what it printed."""
        return self._namespace.run(["chroot", self._root, "sh", "-c", script, "sh", *words])

    def write(self, path: str, text: str) -> None:
        """Write a file inside."""
        self.sh('printf %s "$2" > "$1"', path, text)

    def overlay(self, mode: str = "--once") -> str:
        """Run the agent's script; CommandError when it fails."""
        return self.sh('/usr/libexec/provisioner/overlay "$1" 2>&1', mode)

    def fails(self) -> str:
        """Run the script, which must fail; what it said."""
        try:
            said = self.overlay()
        except CommandError as error:
            return error.output
        raise AssertionError(f"it did not fail; it said: {said}")

    def killed_at(self, step: int) -> int:
        """Run the script and kill it, and all that it started, as it begins a step; the steps that it came to."""
        self.write("/steps", "")
        self.write("/last", f"{step}\n")
        self.sh("PATH=/step:$PATH setsid --wait /usr/libexec/provisioner/overlay --once > /said 2>&1; true")
        return len(self.sh("cat /steps").splitlines())

    def has(self, path: str) -> bool:
        """Whether something is at a path of the box."""
        return self.sh('[ ! -e "$1" ] || echo there', path) != ""

    def find(self, path: str) -> Found:
        """A file of the box, which must be there."""
        first, _, text = self.sh('stat -c "%a %u:%g %i.%Y" "$1" && cat "$1"', path).partition("\n")
        return Found(text, *first.split())

    def text(self, path: str) -> str:
        """The content of a file of the box, which must be there."""
        return self.find(path).text

    @property
    def reloaded(self) -> list[str]:
        """What systemd was told since this was last asked."""
        return self.sh("cat /systemctl.log; : > /systemctl.log").splitlines()

    def _program(self, path: str, text: str) -> None:
        self.write(path, text)
        self.sh('chmod 755 "$1"', path)
