"""Disks and file systems of a node as an Ignition configuration (specification 3.2.0)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from provisioner.model.disk import Disk, FileSystem, Partition
from provisioner.model.resource import typed_resource
from provisioner.render.escape import UnsafeValueError

_VERSION = "3.2.0"
_GUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
# Names that sfdisk(8) knows; Ignition wants the GUID (Discoverable Partitions Specification).
_TYPES = {
    "linux": "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
    "swap": "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F",
    "home": "933AC7E1-2EB4-4F13-B844-0E14E2AEF915",
    "uefi": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
    "raid": "A19D880F-05FC-4D3B-A006-743F0F84911E",
    "lvm": "E6D6D379-F507-44C2-A23C-238F2A3DF928",
}


def ignition(
    disks: Mapping[str, Disk], filesystems: Mapping[str, FileSystem], resources: Mapping[str, Any]
) -> dict[str, Any]:
    """The configuration; other sections come from `resources.ignition`. Empty where nobody wants anything.

    Raises UnsafeValueError for a partition type that has no known GUID, and for sections that are made here.
    """
    others = typed_resource(resources, "ignition")
    formatted = {device: each for device, each in filesystems.items() if each.format}
    taken = {"ignition", "storage"} & others.keys()
    if taken:
        raise UnsafeValueError(f"resources.ignition.{taken.pop()} is made of disks and filesystems")
    if not (disks or formatted or others):
        return {}
    storage = {
        "disks": [_disk(device, each) for device, each in disks.items()],
        "filesystems": [_filesystem(device, each) for device, each in formatted.items()],
    }
    return {**others, "ignition": {"version": _VERSION}, "storage": storage}


def _disk(device: str, disk: Disk) -> dict[str, Any]:
    # `create: false` means one that may be there; for Ignition a partition is either made or deleted.
    wanted = {label: each for label, each in disk.partitions.items() if each.create is not False}
    partitions = [_partition(label, each) for label, each in wanted.items()]
    return _given(device=device, wipeTable=disk.wipe, partitions=partitions)


def _partition(label: str, part: Partition) -> dict[str, Any]:
    return _given(
        label=label,
        number=part.number or 0,
        sizeMiB=part.size.mib if part.size else None,
        startMiB=part.start.mib if part.start else None,
        typeGuid=_type(part.type) if part.type else None,
        guid=str(part.guid) if part.guid else None,
        wipePartitionEntry=part.wipe,
        resize=part.resize,
    )


def _filesystem(device: str, filesystem: FileSystem) -> dict[str, Any]:
    return _given(
        device=device,
        format=filesystem.format,
        path=filesystem.path,
        wipeFilesystem=filesystem.wipe,
        label=filesystem.label,
        uuid=str(filesystem.uuid) if filesystem.uuid else None,
        options=list(filesystem.options) or None,
        mountOptions=list(filesystem.mount_options) or None,
    )


def _type(name: str) -> str:
    guid = _TYPES.get(name.lower(), name)
    if not _GUID.fullmatch(guid):
        raise UnsafeValueError(f"{name!r} is no partition type that Ignition knows; write its GUID")
    return guid


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
