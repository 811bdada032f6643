"""Extract a squashfs that somebody else made, by unsquashfs, shut into a root with nothing else but the tree.

unsquashfs reads paths, links and attributes out of a file that nobody vouches for, as root. So it runs in mount,
network and process namespaces of its own, in a root where all but the tree is read-only, without the capabilities
that would lead out of it, and with bounds of memory and time. What it would write is counted first.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from provisioner.errors import CommandError, IntegrityError, UnavailableError
from provisioner.host.run import require, run
from provisioner.image import confined, unpack
from provisioner.image.layer import Limits
from provisioner.image.terms import Terms

_SUPERBLOCK = 96
_MAGIC = b"hsqs"
_MEMORY = 4 << 30
_HOURS = 3600
_SELINUX = "security.selinux"
# A line of `unsquashfs -lln`: mode, owner, size or numbers of a device, and the path.
_LINE = re.compile(rb"^([-dlcbps])[-rwxsStT]{9} \d+/\d+ +(\d+|\d+, *\d+) ")
# $1 an empty folder, $2 the tree, $3 the file; the rest is the command. Where /usr is merged, /bin is a link.
_JAIL = """\
set -e
mount -t tmpfs -o size=64k,mode=755,nosuid,nodev jail "$1"
for name in usr bin sbin lib lib64; do
    if [ -L "/$name" ]; then cp -P "/$name" "$1/$name"
    elif [ -d "/$name" ]; then
        mkdir "$1/$name"
        mount --bind "/$name" "$1/$name"
        mount -o remount,bind,ro "$1/$name"
    fi
done
mkdir "$1/tree" "$1/tmp" "$1/proc"
: >"$1/image"
mount --bind "$2" "$1/tree"
mount --bind "$3" "$1/image"
mount -o remount,bind,ro "$1/image"
mount -o remount,ro "$1"
jail=$1
shift 3
exec chroot "$jail" "$@"
"""
_CAPABILITIES = "-all,+chown,+dac_override,+dac_read_search,+fowner,+fsetid,+mknod,+setfcap"


def extract(file: Path, root: Path, *, offset: int, created: int, terms: Terms) -> int:
    """Extract the squashfs at an offset of a file into a new directory; return the latest time in it.

    SELinux labels are dropped, as with layers. `created` is a time in Unix seconds for a root without any.
    Raises IntegrityError for what is no squashfs, is damaged or over the limits, and UnavailableError when
    there is no room for it.
    """
    _demand_sane(file, offset, terms.limits)
    size = _count(file, offset, terms.limits, scratch=root.parent)
    free = shutil.disk_usage(root.parent).free
    if size > free:
        message = f"{file.name} unpacks to {size >> 20} MiB, and {root.parent} has {free >> 20} MiB free"
        raise UnavailableError(message, hint="prov image gc removes what nothing uses")
    unpack.make_root(root, created)
    options = ["-no-progress", "-quiet", "-force", "-processors", "1", "-data-queue", "64", "-frag-queue", "64"]
    command = ["unsquashfs", *options, "-offset", str(offset), "-dest", "/tree", "/image"]
    try:
        run(jailed(command, file, root, root.parent), timeout=4 * _HOURS)
    except CommandError as error:
        raise IntegrityError(f"the squashfs in {file.name} cannot be unpacked: {error.output[-500:]}") from None
    return max(created, _settle(root))


def _demand_sane(file: Path, offset: int, limits: Limits) -> None:
    with file.open("rb") as stream:
        stream.seek(offset)
        head = stream.read(_SUPERBLOCK)
        size = os.fstat(stream.fileno()).st_size
    if len(head) < _SUPERBLOCK or head[:4] != _MAGIC:
        raise IntegrityError(f"there is no squashfs at {offset} in {file.name}")
    inodes, used = int.from_bytes(head[4:8], "little"), int.from_bytes(head[40:48], "little")
    if inodes > limits.entries:
        raise IntegrityError(f"the squashfs in {file.name} has more than {limits.entries} entries")
    if used > size - offset:
        raise IntegrityError(f"the squashfs in {file.name} is cut short")


def _count(file: Path, offset: int, limits: Limits, *, scratch: Path) -> int:
    """The bytes of all files. Names may hold ends of lines, which make more lines and never fewer."""
    command = ["unsquashfs", "-no-progress", "-lln", "-offset", str(offset), "/image"]
    total = entries = 0
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryDirectory(dir=scratch) as empty:
        for line in _lines(jailed(command, file, Path(empty), scratch), errors, file):
            found = _LINE.match(line)
            entries += 1
            total += int(found[2]) if found and found[1] == b"-" else 0
            if total > limits.size or entries > limits.entries:
                raise IntegrityError(f"the squashfs in {file.name} unpacks to more than an image may have")
    return total


def _lines(command: list[str], errors: IO[bytes], file: Path) -> Iterator[bytes]:
    reader, writer = os.pipe()
    with (
        os.fdopen(reader, "rb") as source,
        os.fdopen(writer, "wb") as target,
        confined.running([*command], stdout=target, stderr=errors) as process,
    ):
        target.close()
        yield from source
        status = confined.wait(process, lambda _: None)
    if status != 0:
        errors.seek(0)
        text = errors.read().decode(errors="replace").strip()[-500:]
        raise IntegrityError(f"the squashfs in {file.name} cannot be read: {text}")


def jailed(command: list[str], file: Path, tree: Path, scratch: Path) -> list[str]:
    """A command as it runs in a root that shows nothing but `file` (as /image) and `tree` (as /tree)."""
    jail = scratch / "jail"
    jail.mkdir(exist_ok=True)
    spaces = ["unshare", "--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child=KILL"]
    shell = ["--propagation", "private", "sh", "-c", _JAIL, "sh", str(jail), str(tree), str(file)]
    bounds = [require("prlimit"), f"--as={_MEMORY}", f"--cpu={_HOURS}", "--core=0"]
    rights = ["setpriv", "--no-new-privs", f"--bounding-set={_CAPABILITIES}", "--inh-caps=-all"]
    return [*spaces, *shell, *bounds, *rights, *command]


def _settle(root: Path) -> int:
    """Drop SELinux labels, and return the latest time of all entries in Unix seconds."""
    newest = 0
    for folder, folders, files in os.walk(root):
        for name in (".", *folders, *files):
            place = Path(folder, name)
            newest = max(newest, int(place.lstat().st_mtime))
            if _SELINUX in os.listxattr(place, follow_symlinks=False):
                os.removexattr(place, _SELINUX, follow_symlinks=False)
    return min(newest, 0xFFFFFFFF)
