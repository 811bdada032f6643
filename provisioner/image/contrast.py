"""Two images side by side: what somebody who takes nodes from one to the other has to know. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from provisioner.model.inventory import Inventory, Package

# Debian and Enterprise Linux: who may have files on other machines, by this name.
_SHARED = frozenset({"munge", "slurm", "nfsnobody", "nobody", "slurmdb"})
_SYSTEM_IDS = 1000
_EPOCH = re.compile(r"^\d+:")
_NUMBER = re.compile(r"\d+")
_FORMATS = {
    "NetworkManager": "keyfiles in /etc/NetworkManager/system-connections",
    "network-scripts": "ifcfg files in /etc/sysconfig/network-scripts",
    "systemd-networkd": "files in /etc/systemd/network",
    "netplan": "YAML in /etc/netplan",
    "ifupdown": "/etc/network/interfaces",
    "wicked": "ifcfg files in /etc/sysconfig/network",
}


class Weight(StrEnum):
    """How much something matters: a `problem` keeps nodes from working, a `warning` wants a decision."""

    PROBLEM = "problem"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference: the section that it belongs to, what it is about, the sentence, and what to do about it."""

    section: str
    weight: Weight
    subject: str
    message: str
    remedy: str = ""

    def record(self) -> dict[str, str]:
        """Plain data for programs."""
        return {
            "section": self.section,
            "weight": self.weight.value,
            "subject": self.subject,
            "message": self.message,
            "remedy": self.remedy,
        }


def contrast(old: Inventory, new: Inventory) -> tuple[Finding, ...]:
    """Every difference between two images, by section."""
    parts = (_system, _packages, _accounts, _units, _network, _policy)
    return tuple(finding for part in parts for finding in part(old, new))


def _system(old: Inventory, new: Inventory) -> Iterator[Finding]:
    pairs = [
        ("system", _name(old), _name(new)),
        ("kernel", _release(old), _release(new)),
        ("systemd", _init(old), _init(new)),
    ]
    for subject, before, after in pairs:
        if before != after:
            yield Finding("system", Weight.NOTE, subject, f"{before} -> {after}")


def _packages(old: Inventory, new: Inventory) -> Iterator[Finding]:
    before, after = _versions(old.packages), _versions(new.packages)
    for name in sorted(before.keys() - after.keys()):
        yield Finding("packages", Weight.WARNING, name, f"{before[name]} is gone")
    for name in sorted(after.keys() - before.keys()):
        yield Finding("packages", Weight.NOTE, name, f"{after[name]} is new")
    for name in sorted(before.keys() & after.keys()):
        if _major(before[name]) != _major(after[name]):
            yield Finding("packages", Weight.NOTE, name, f"{before[name]} -> {after[name]}")


def _accounts(old: Inventory, new: Inventory) -> Iterator[Finding]:
    users = {name: user.uid for name, user in old.user_by_name.items()}
    yield from _ids("user", users, {name: user.uid for name, user in new.user_by_name.items()})
    groups = {name: group.gid for name, group in old.group_by_name.items()}
    yield from _ids("group", groups, {name: group.gid for name, group in new.group_by_name.items()})


def _ids(kind: str, before: Mapping[str, int], after: Mapping[str, int]) -> Iterator[Finding]:
    owners = {number: name for name, number in after.items()}
    for name, number in sorted(before.items()):
        now = after.get(name)
        if now is None:
            taken = owners.get(number)
            message = f"{number} is gone" + (f"; {taken} has its number now" if taken else "")
            yield Finding("accounts", Weight.NOTE, f"{kind} {name}", message)
        elif now != number:
            weight = Weight.WARNING if name in _SHARED or number >= _SYSTEM_IDS else Weight.NOTE
            remedy = "prov image syncuser NEW --like OLD gives it the former number"
            yield Finding("accounts", weight, f"{kind} {name}", f"{number} -> {now}", remedy)


def _units(old: Inventory, new: Inventory) -> Iterator[Finding]:
    for name, unit in sorted(old.unit_by_name.items()):
        if unit.starts and new.unit(name) is None:
            remedy = "install what has it into the new image, or take it out of overlays and monitoring"
            yield Finding("units", Weight.WARNING, name, "starts at boot, and is gone", remedy)
        elif unit.starts and (now := new.unit(name)) is not None and not now.starts:
            yield Finding("units", Weight.WARNING, name, f"starts at boot, and will not ({now.state})")
    for name, unit in sorted(new.unit_by_name.items()):
        if unit.starts and old.unit(name) is None:
            yield Finding("units", Weight.NOTE, name, "is new and starts at boot")


def _network(old: Inventory, new: Inventory) -> Iterator[Finding]:
    before, after = _backends(old), _backends(new)
    if before and after and before[0] != after[0]:
        message = f"{_format(before[0])} -> {_format(after[0])}"
        remedy = "the overlay network writes what the image reads; own overlays have to follow"
        yield Finding("network", Weight.WARNING, "configuration", message, remedy)
    elif before and not after:
        yield Finding(
            "network", Weight.PROBLEM, "configuration", f"{before[0]} is gone, and nothing is there instead"
        )


def _policy(old: Inventory, new: Inventory) -> Iterator[Finding]:
    """Enterprise Linux 9 refuses SHA-1 in signatures; older ones did not ask."""
    if _enterprise(old) and _enterprise(old) < 9 <= _enterprise(new):
        message = "signatures with SHA-1 are refused: old ssh clients with ssh-rsa keys cannot log in"
        remedy = "use Ed25519 or ECDSA keys; host keys of nodes are Ed25519 and stay as they are"
        yield Finding("crypto", Weight.WARNING, "policy", message, remedy)


def cpu_level(image: Inventory) -> int:
    """The level of the x86-64 psABI that an image needs (1 to 4), by its programs and its distribution.

    Enterprise Linux 9 is built for x86-64-v2, 10 for v3; other distributions for the first level.
    """
    built_for = {9: 2, 10: 3}.get(_enterprise(image), 1)
    return max(built_for, image.cpu.level if image.cpu else 1)


def _enterprise(image: Inventory) -> int:
    """The major version of an Enterprise Linux, 0 for anything else."""
    family = {image.os.get("ID", ""), *image.os.get("ID_LIKE", "").split()}
    major = _NUMBER.match(image.os.get("VERSION_ID", ""))
    return int(major[0]) if major and not family.isdisjoint({"rhel", "centos"}) else 0


def _versions(packages: Iterable[Package]) -> dict[str, str]:
    return {each.name: each.version for each in packages}


def _major(version: str) -> str:
    """The part before the first dot, epochs left out: what a person calls another version."""
    return re.split(r"[.\-~+]", _EPOCH.sub("", version), maxsplit=1)[0]


def _backends(image: Inventory) -> list[str]:
    """Network backends, those that start at boot first."""
    return [each.name for each in sorted(image.network, key=lambda service: not service.enabled)]


def _format(backend: str) -> str:
    return f"{backend}, {_FORMATS[backend]}" if backend in _FORMATS else backend


def _name(image: Inventory) -> str:
    return image.os.get("PRETTY_NAME") or image.os.get("NAME", "unknown")


def _release(image: Inventory) -> str:
    return image.kernels[-1].release if image.kernels else "none"


def _init(image: Inventory) -> str:
    return image.init.version or image.init.name if image.init else "none"
