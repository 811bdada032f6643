"""Labels of SELinux for the packed root, by the policy that the image itself has.

The kernel reads them from the squashfs, where nothing can write them later. Trees of the store have none: what an
import brings fits the machine that built the image, and a policy may change with every package. So the tree that
is about to be packed has them for as long as it takes, and is then as it was.

The image's own matchpathcon(8) says which file gets which: only it knows how its library reads its policy. It runs
shut off and cannot write (`image.chamber`). What it prints is looked up by the paths that are there.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import IntegrityError, ProvisionerError
from provisioner.image import inside
from provisioner.image.chamber import look_inside
from provisioner.model.inventory import SelinuxPolicy

ATTRIBUTE = "security.selinux"
"""The extended attribute that holds a label, with a zero byte behind it."""

_CONFIG = "/etc/selinux/config"
_SETTING = re.compile(r"^(SELINUX|SELINUXTYPE)=[ \t]*([\w.-]+)", re.MULTILINE | re.ASCII)
# What libselinux takes where nothing is said.
_USUAL_TYPE = "targeted"
_ASKS = "/usr/sbin/matchpathcon"
_NAMES = "/run/names"
_PACKAGES = "policycoreutils and selinux-utils (Debian) or libselinux-utils (EL)"
# user:role:type, and a range where the policy has several levels.
_LABEL = re.compile(rb"[\w.-]+:[\w.-]+:[\w.-]+(:[\w.,:-]+)?", re.ASCII)
# matchpathcon ends with 1 where it has no label for some path; xargs makes that 123.
_WELL_ENOUGH = (0, 123)
_SECONDS = 1800
_MOST_TEXT = 256 << 20


@dataclass(frozen=True, slots=True)
class Labelled:
    """What a tree is labelled for: `default, enforcing`, or empty; and what a person should know."""

    policy: str = ""
    warnings: tuple[str, ...] = ()


def policy(root: Path) -> SelinuxPolicy | None:
    """The policy that a tree asks for, or None where it leaves SELinux off. The policy itself may be missing."""
    text = (inside.read(root, _CONFIG) or b"").decode("utf-8", "replace")
    # The last one counts, as when a shell reads it.
    said = {found[1]: found[2] for found in _SETTING.finditer(text)}
    match said.get("SELINUX", "").lower():
        case "enforcing":
            return SelinuxPolicy(type=said.get("SELINUXTYPE", _USUAL_TYPE), mode="enforcing")
        case "permissive":
            return SelinuxPolicy(type=said.get("SELINUXTYPE", _USUAL_TYPE), mode="permissive")
        case _:
            return None


@contextmanager
def labelled(tree: Path, work: Path) -> Iterator[Labelled]:
    """A tree with the labels of its own policy for as long as the block takes, where it asks for any.

    `work` is an empty folder outside of the tree. Needs root's rights. A tree that cannot be labelled stays as it
    is, with a warning. Raises IntegrityError when what a file had before cannot be given back.
    """
    found = policy(tree)
    if found is None:
        yield Labelled()
        return
    former: dict[str, bytes | None] = {}
    try:
        try:
            _give(tree, _labels(tree, found, work), former)
            done = Labelled(f"{found.type}, {found.mode}")
        except (ProvisionerError, OSError) as error:
            _take_back(tree, former)
            former.clear()
            done = Labelled(warnings=(_warning(found, error),))
        yield done
    finally:
        _take_back(tree, former)


def _warning(found: SelinuxPolicy, error: ProvisionerError | OSError) -> str:
    reason = error.message if isinstance(error, ProvisionerError) else f"{error.strerror} ({error.filename})"
    return f"the image asks for SELinux ({found.type}, {found.mode}), and its root has no labels: {reason}"


def _labels(tree: Path, found: SelinuxPolicy, work: Path) -> Mapping[str, bytes]:
    """The label of each path of a tree, from `/` on; those that shall have none are left out."""
    _demand(tree, found)
    paths = [f"/{path}" for path in _walk(tree)]
    names, answer, mount = work / "names", work / "labels", work / "mount"
    names.write_bytes(b"".join(os.fsencode(path) + b"\0" for path in paths))
    mount.mkdir()
    command = ["xargs", "-0", "-a", _NAMES, _ASKS, "-N"]
    status = look_inside(tree, command, mount=mount, binds=[f"{names}:{_NAMES}:ro"], log=answer, seconds=_SECONDS)
    with answer.open("rb") as stream:
        said = dict(_answers(stream.read(_MOST_TEXT)))
    known = {path: said[name] for path in paths if (name := os.fsencode(path)) in said}
    if status not in _WELL_ENOUGH or not known:
        raise ProvisionerError(f"{_ASKS} of the image ended with status {status} and {len(known)} labels")
    return known


def _demand(tree: Path, found: SelinuxPolicy) -> None:
    contexts = f"/etc/selinux/{found.type}/contexts/files/file_contexts"
    if not inside.is_regular(inside.resolve(tree, contexts)):
        raise ProvisionerError(f"{contexts} is missing; install the policy in the image")
    if not inside.is_regular(inside.resolve(tree, _ASKS)):
        raise ProvisionerError(f"{_ASKS} is missing; install {_PACKAGES} in the image")


def _answers(text: bytes) -> Iterator[tuple[bytes, bytes]]:
    for line in text.splitlines():
        path, _, label = line.rpartition(b"\t")
        if _LABEL.fullmatch(label):
            yield path, label


def _walk(tree: Path) -> Iterator[str]:
    """Every path of a tree, sorted folder by folder; the tree itself is the empty one."""
    yield ""
    for folder, folders, names in os.walk(tree):
        folders.sort(key=os.fsencode)
        above = os.path.relpath(folder, tree)
        for name in sorted([*folders, *names], key=os.fsencode):
            yield name if above == "." else f"{above}/{name}"


def _give(tree: Path, labels: Mapping[str, bytes], former: dict[str, bytes | None]) -> None:
    """Set labels, and note in `former` what was there before."""
    for path, label in labels.items():
        place = f"{tree}{path}"
        had = _label_of(place)
        if had != label + b"\0":
            os.setxattr(place, ATTRIBUTE, label + b"\0", follow_symlinks=False)
            former[path] = had


def _take_back(tree: Path, former: Mapping[str, bytes | None]) -> None:
    # Backwards: of a file with several names the first one noted what there was.
    for path, had in reversed(list(former.items())):
        place = f"{tree}{path}"
        try:
            if had is None:
                os.removexattr(place, ATTRIBUTE, follow_symlinks=False)
            else:
                os.setxattr(place, ATTRIBUTE, had, follow_symlinks=False)
        except OSError as error:
            raise IntegrityError(f"the label of {place} cannot be given back: {error.strerror}") from None


def _label_of(place: str) -> bytes | None:
    try:
        return os.getxattr(place, ATTRIBUTE, follow_symlinks=False)
    except OSError as error:
        if error.errno == errno.ENODATA:
            return None
        raise
