"""A root of kind disk on the kernel line: which device it is on, and how stage 1 makes it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from provisioner.model.disk import FileSystem, Partition
from provisioner.model.resolved import ResolvedNode
from provisioner.model.written import RootKind

FORMATS = ("ext4", "xfs")
"""What stage 1 can make; the first one unless `filesystems:` says otherwise."""

# A partition type goes into a line of sfdisk(8), where commas and equals signs part the fields.
_TYPE = re.compile(r"[A-Za-z0-9-]+")


def unfit(node: ResolvedNode) -> tuple[str, str] | None:
    """Why a root of kind disk cannot be made from what is written, and the command that helps; None where it can.

    Other kinds of root always can.
    """
    if node.root.kind is not RootKind.DISK:
        return None
    device = node.root.device
    if device is None:
        reason = f"{node.name} has a root of kind disk, and no root.device says on which"
        return reason, f"prov node set {node.name} root.device=/dev/disk/by-partlabel/root"
    format_ = _format(node, device)
    if format_ not in FORMATS:
        reason = (
            f"{node.name} has its root on {device} with the format {format_}: it may be {' or '.join(FORMATS)}"
        )
        return reason, f"prov node set {node.name} filesystems.{device}.format={FORMATS[0]}"
    for label, part in _partitions(node):
        if part.type and not _TYPE.fullmatch(part.type):
            reason = f"the partition {label} of {node.name} has the type {part.type}, which is no GUID and no name"
            return reason, f"prov node show {node.name}"
    return None


def disk_words(node: ResolvedNode) -> tuple[str, ...]:
    """The words of the kernel line that a root of kind disk adds; none for other kinds."""
    device = node.root.device
    if node.root.kind is not RootKind.DISK or device is None:
        return ()
    made = node.filesystems.get(device, FileSystem())
    # What is written decides what is mounted and what is swap, and no partition type that systemd finds.
    words = ["systemd.gpt_auto=0"]
    words += [f"prov.device={device}", f"prov.format={_format(node, device)}"]
    words += ["prov.wipe=1"] if node.root.wipe else []
    words += [f"prov.mkfs={option}" for option in _make_options(made)]
    words += [f"prov.mount={','.join(made.mount_options)}"] if made.mount_options else []
    words += [f"prov.disk={node.root_disk}"] if node.root_disk else []
    words += [f"prov.partition={_line(label, part)}" for label, part in _partitions(node)]
    return tuple(words)


def _partitions(node: ResolvedNode) -> Iterator[tuple[str, Partition]]:
    table = node.disks[node.root_disk].partitions if node.root_disk else {}
    yield from ((label, part) for label, part in table.items() if part.create is not False)


def _format(node: ResolvedNode, device: str) -> str:
    return node.filesystems.get(device, FileSystem()).format or FORMATS[0]


def _make_options(made: FileSystem) -> Iterator[str]:
    if made.label:
        yield from ("-L", made.label)
    if made.uuid and made.format == "xfs":
        yield from ("-m", f"uuid={made.uuid}")
    elif made.uuid:
        yield from ("-U", str(made.uuid))
    yield from made.options


def _line(label: str, part: Partition) -> str:
    """The fields of a partition as sfdisk(8) reads them, its number first and its name last."""
    fields = (
        f"number={part.number}" if part.number else "",
        f"start={part.start}" if part.start else "",
        f"size={part.size}" if part.size else "",
        f"type={part.type or 'linux'}",
        f"uuid={part.guid}" if part.guid else "",
        f"name={label}",
    )
    return ",".join(filter(None, fields))
