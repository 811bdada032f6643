"""Disks of a node as people write them: partition tables, file systems, swap and where they are mounted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from provisioner.model.mapping import Written
from provisioner.model.name import DevicePath, FilePath, Name, RemovableWord, Word

_SIZE = re.compile(r"([0-9]{1,12}) ?(MiB|GiB|TiB|M|G|T)?")
_UNITS = {"M": 1, "G": 1 << 10, "T": 1 << 20}


class Size(str):
    """A size on a disk in its one canonical form, `512MiB` or `20GiB`; a bare number counts MiB."""

    __slots__ = ()

    def __new__(cls, text: str) -> Size:
        """Parse any accepted spelling; ValueError says what was expected."""
        match = _SIZE.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not a size; expected 512MiB, 20GiB or 2TiB")
        number, unit = match.groups()
        return super().__new__(cls, f"{int(number)}{(unit or 'M')[0]}iB")

    @property
    def mib(self) -> int:
        """The size in units of 2**20 bytes."""
        return int(self[:-3]) * _UNITS[self[-3]]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate from text in models; serialise as text."""
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())


class Partition(Written):
    """One partition; the key that holds it is its label. `type` is a GUID or a name that sfdisk(8) knows."""

    number: int | None = Field(None, ge=1, le=128)
    size: Size | None = None
    start: Size | None = None
    type: Word | None = None
    guid: UUID | None = None
    wipe: bool | None = None
    create: bool | None = None
    resize: bool | None = None


class Disk(Written):
    """The partition table of one disk. `wipe` clears a table that is there already."""

    wipe: bool | None = None
    partitions: dict[Name, Partition] = Field(default_factory=dict)


class FileSystem(Written):
    """What is on one block device, and where it is mounted. `format: swap` is swap space."""

    format: Annotated[str, Field(pattern=r"^[a-z0-9]{2,16}$")] | None = None
    path: FilePath | None = None
    wipe: bool | None = None
    label: Word | None = None
    uuid: UUID | None = None
    options: tuple[RemovableWord, ...] = ()
    mount_options: tuple[RemovableWord, ...] = ()


_BY_PARTLABEL = "/dev/disk/by-partlabel/"
# /dev/sda2 is of /dev/sda, /dev/nvme0n1p2 of /dev/nvme0n1; /dev/sdaa is of neither.
_NUMBER = re.compile(r"(p|-part)?[0-9]+")


def disk_with(disks: Mapping[str, Disk], device: str | None) -> str | None:
    """The disk whose written partition table makes this partition; None where none of them does."""
    if device is None:
        return None
    return next((disk for disk, table in disks.items() if _makes(disk, table, device)), None)


def _makes(disk: str, table: Disk, device: str) -> bool:
    if device.startswith(_BY_PARTLABEL):
        part = table.partitions.get(device.removeprefix(_BY_PARTLABEL))
        return part is not None and part.create is not False
    return device.startswith(disk) and _NUMBER.fullmatch(device.removeprefix(disk)) is not None


Disks = dict[DevicePath, Disk]
FileSystems = dict[DevicePath, FileSystem]
