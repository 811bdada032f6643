"""The root file system of a running machine, packed by its own tar and fetched over ssh."""

from __future__ import annotations

import re
import shlex
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from provisioner.errors import NotFoundError, ProvisionerError, UnavailableError
from provisioner.image import architecture, stream
from provisioner.image.build import Obtained
from provisioner.image.reference import Reference
from provisioner.image.terms import Terms
from provisioner.model.image import Origin

_ADDRESS = re.compile(r"(?:([\w.-]+)@)?([\w.-]+|\[[0-9a-fA-F:.]+\])(?::(\d{1,5}))?(/.*)?")
# Their content belongs to the moment or to the machine; the folders stay.
_EMPTIED = ("proc", "sys", "dev", "run", "tmp", "var/tmp", "var/cache/dnf", "var/cache/yum")
_LEFT_OUT = ("swapfile", "swap.img", "lost+found")
# What else belongs to the system where it lies on a file system of its own.
_PARTS = ("boot", "boot/efi", "usr", "usr/local", "var", "opt")
_SSH_FAILED = 255
# Swap files are known only over there. Of the logs the folders are kept: services want theirs.
_SCRIPT = """\
cd -- {root} || exit 3
set -- {excludes} --no-wildcards --exclude-from=/dev/stdin
if [ -r /proc/swaps ]; then
    while read -r file kind _; do
        [ "$kind" = file ] && set -- "$@" "--exclude=.$file"
    done </proc/swaps
fi
set -- "$@" .
for part in {parts}; do
    mountpoint -q "$part" 2>/dev/null && set -- "$@" "./$part"
done
find ./var/log -xdev ! -type d 2>/dev/null | {tar} --one-file-system "$@"
"""


class Machine(NamedTuple):
    """A machine and a folder on it: `[USER@]HOST[:PORT][/PATH]`."""

    user: str | None
    host: str
    port: str | None
    path: str

    @classmethod
    def parse(cls, place: str) -> Machine:
        """ProvisionerError for what is no machine."""
        found = _ADDRESS.fullmatch(place)
        # ssh takes a name that starts with a dash for an option.
        if found is None or place.startswith("-") or (found[1] or "").startswith("-") or found[2].startswith("-"):
            raise ProvisionerError(f"{place!r} is no machine", hint="ssh://[USER@]HOST[:PORT][/PATH]")
        return cls(found[1], found[2].strip("[]"), found[3], found[4] or "/")

    def command(self, script: str, config: Path | None) -> list[str]:
        """The ssh that runs a script of sh on it."""
        return ["ssh", "-T", *self.ssh(config, f"exec sh -c {shlex.quote(script)}")[1:]]

    def ssh(self, config: Path | None, remote: str) -> list[str]:
        """The ssh that has a shell over there run a line."""
        options = ["-F", str(config)] if config else []
        options += ["-p", self.port] if self.port else []
        options += ["-l", self.user] if self.user else []
        return ["ssh", *options, "--", self.host, remote]


def obtain(reference: Reference, tree: Path, terms: Terms) -> Obtained:
    """Copy the root of a running machine into a new directory, without what belongs to the moment.

    Raises UnavailableError when it cannot be reached, NotFoundError when it has no such folder, and
    ProvisionerError when its tar fails, mostly for lack of rights.
    """
    machine = Machine.parse(reference.place)
    terms.say(f"copy {machine.path} of {machine.host} over ssh")
    done = stream.copy(machine.command(_script(machine.path, terms.store), terms.ssh_config), tree, terms)
    said = done.errors.strip()[-500:]
    if done.status == _SSH_FAILED:
        raise UnavailableError(
            f"{machine.host} cannot be reached: {said}", hint=shlex.join(machine.ssh(terms.ssh_config, "true"))
        )
    if done.status == 3:
        raise NotFoundError(f"{machine.host} has no folder {machine.path}")
    if done.status not in (0, 1):
        port = f":{machine.port}" if machine.port else ""
        hint = f"reading a whole root takes root's rights: ssh://root@{machine.host}{port}"
        raise ProvisionerError(f"{machine.path} of {machine.host} cannot be copied: {said}", hint=hint)
    platform = architecture.of_tree(tree)
    architecture.demand(platform, terms.platform, machine.host)
    origin = Origin(kind=reference.kind, reference=reference.text, platform=platform)
    return Obtained(origin, done.newest, done.warnings, may_be_base=True)


def _script(path: str, store: Path) -> str:
    # The machine may be this one: a store that is copied into itself has no end.
    inside = _below(store, path)
    emptied = [*_EMPTIED, *([inside] if inside else [])]
    excludes = [*(f"--exclude=./{name}/*" for name in emptied), *(f"--exclude=./{name}" for name in _LEFT_OUT)]
    return _SCRIPT.format(
        root=shlex.quote(path),
        excludes=shlex.join(["--anchored", *excludes]),
        parts=shlex.join(_PARTS),
        tar=shlex.join(stream.TAR),
    )


def _below(store: Path, path: str) -> str | None:
    pure = PurePosixPath(store)
    return str(pure.relative_to(path)) if path != str(pure) and pure.is_relative_to(path) else None
