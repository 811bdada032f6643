"""Read a SIF file, Apptainer's container format: a header, descriptors, and the objects that they describe.

The layout is that of https://github.com/apptainer/sif (pkg/sif, version 01): little endian, packed, and nothing in
it is to be trusted. Every place is checked against the size of the file.
"""

from __future__ import annotations

import hashlib
import os
import struct
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import IO

from provisioner.errors import IntegrityError, ProvisionerError

_HEADER = struct.Struct("<32s10s3s3s16s8q")
_DESCRIPTOR = struct.Struct("<i?IIIqqqqqqq128s384s")
_PARTITION = struct.Struct("<ii3s")
_MAGIC = b"SIF_MAGIC\0"
_VERSION = b"01\0"
_MOST_DESCRIPTORS = 4096
_GROUP = 0xF0000000
_PRIMARY = 2
_SQUASHFS = 1
_ENCRYPTED = {5, 6}
_KINDS = {2: "ext3", 3: "an archive", 4: "raw data"}
_PLATFORMS = {
    b"01": "linux/386",
    b"02": "linux/amd64",
    b"03": "linux/arm",
    b"04": "linux/arm64",
    b"06": "linux/ppc64le",
    b"11": "linux/s390x",
    b"12": "linux/riscv64",
}
_CHUNK = 1 << 20


class Type(IntEnum):
    """Kinds of objects that matter here."""

    PARTITION = 0x4004
    SIGNATURE = 0x4005
    OCI_INDEX = 0x400A
    OCI_BLOB = 0x400B


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One object, its place in bytes; `link` is the object that it belongs to, or its group if `by_group`."""

    type: int
    id: int
    group: int
    link: int
    by_group: bool
    offset: int
    size: int
    extra: bytes
    fields: tuple[int, ...]
    name: bytes

    def signed_part(self, relative: int) -> bytes:
        """What a signature vouches for; `relative` counts objects from the first one of their group."""
        kind, raw_link, created, uid, gid = self.fields
        head = struct.pack("<iBIIqqqq", kind, 1, relative, raw_link, self.size, created, uid, gid)
        return head + self.name + self.extra

    @property
    def partition(self) -> tuple[int, int, str]:
        """File system, kind and platform of a partition."""
        system, kind, code = _PARTITION.unpack_from(self.extra)
        return system, kind, _PLATFORMS.get(code[:2], "")


@dataclass(frozen=True, slots=True)
class Sif:
    """A SIF file, by the name that people gave it and where it is read.

    `signed_header` is what signatures vouch for, `modified` in Unix seconds.
    """

    path: Path
    file: Path
    modified: int
    signed_header: bytes
    descriptors: tuple[Descriptor, ...]

    def of_type(self, kind: Type) -> list[Descriptor]:
        """All objects of a type."""
        return [each for each in self.descriptors if each.type == kind]

    def primary(self) -> Descriptor:
        """The root file system: the one primary partition, a squashfs.

        Raises ProvisionerError for what cannot be imported, and says why.
        """
        if self.of_type(Type.OCI_INDEX) or self.of_type(Type.OCI_BLOB):
            hint = "apptainer push it to a registry, and import docker://HOST/PATH"
            raise ProvisionerError(
                f"{self.path} is an OCI-SIF, which holds an OCI image instead of a root", hint=hint
            )
        found = [each for each in self.of_type(Type.PARTITION) if each.partition[1] == _PRIMARY]
        if len(found) != 1:
            raise ProvisionerError(
                f"{self.path} has {len(found)} primary partitions, where one holds the root",
                hint="siftool list FILE shows them, siftool setprim ID FILE chooses one",
            )
        system = found[0].partition[0]
        if system in _ENCRYPTED:
            hint = "apptainer build --sandbox DIR FILE, then prov image import dir:DIR NAME"
            raise ProvisionerError(f"{self.path} is encrypted", hint=hint)
        if system != _SQUASHFS:
            kind = _KINDS.get(system, f"a file system of the unknown kind {system}")
            raise ProvisionerError(f"the root in {self.path} is {kind}, not squashfs", hint="build it again")
        return found[0]

    def read(self, descriptor: Descriptor, *, limit: int) -> bytes:
        """The content of an object; IntegrityError when it has more than `limit` bytes."""
        if descriptor.size > limit:
            raise IntegrityError(f"object {descriptor.id} of {self.path} has {descriptor.size} bytes")
        with self.file.open("rb") as stream:
            stream.seek(descriptor.offset)
            return stream.read(descriptor.size)

    def digest(self, descriptor: Descriptor, algorithm: str) -> str:
        """The hexadecimal digest of an object's content."""
        sum_ = hashlib.new(algorithm)
        left = descriptor.size
        with self.file.open("rb") as stream:
            stream.seek(descriptor.offset)
            while left and (chunk := stream.read(min(left, _CHUNK))):
                sum_.update(chunk)
                left -= len(chunk)
        return sum_.hexdigest()


def read(file: Path, *, name: Path | None = None) -> Sif:
    """The header and descriptors of a file that people know by `name`.

    IntegrityError for what is no SIF, or is damaged.
    """
    path = name or file
    with file.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        head = stream.read(_HEADER.size)
        if len(head) < _HEADER.size or head[32:42] != _MAGIC:
            raise IntegrityError(f"{path} is no SIF file")
        _, _, version, _, _, _, modified, _, total, offset, _, _, _ = _HEADER.unpack(head)
        if version != _VERSION:
            raise IntegrityError(f"{path} is of the version {version!r} of SIF, not 01")
        if not 0 < total <= _MOST_DESCRIPTORS or not _HEADER.size <= offset <= size - total * _DESCRIPTOR.size:
            raise IntegrityError(f"{path} is damaged: it has no room for its {total} descriptors")
        found = tuple(_descriptors(stream, offset, total))
    for each in found:
        if each.offset < _HEADER.size or each.size < 0 or each.offset + each.size > size:
            raise IntegrityError(f"{path} is damaged or cut short: object {each.id} lies outside of it")
    # Launch script, magic, version and identifier; neither the processor nor the times are signed.
    return Sif(path, file, max(0, modified), head[:45] + head[48:64], found)


def _descriptors(stream: IO[bytes], offset: int, total: int) -> list[Descriptor]:
    stream.seek(offset)
    table = stream.read(total * _DESCRIPTOR.size)
    found = []
    for number in range(total):
        raw = _DESCRIPTOR.unpack_from(table, number * _DESCRIPTOR.size)
        kind, used, name, group, link, place, size, _, created, _, uid, gid, label, extra = raw
        if used:
            fields = (kind, link, created, uid, gid)
            found.append(
                Descriptor(
                    type=kind,
                    id=name,
                    group=group & ~_GROUP,
                    link=link & ~_GROUP,
                    by_group=link & _GROUP == _GROUP,
                    offset=place,
                    size=size,
                    extra=extra,
                    fields=fields,
                    name=label,
                )
            )
    return found
