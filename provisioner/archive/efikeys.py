"""Keys of UEFI as bytes: signature lists, and the variable store of a virtual machine's firmware that holds them.

Sources: UEFI 2.10 section 32.4.1 (EFI_SIGNATURE_LIST) and 8.2 (attributes); edk2,
MdeModulePkg/Include/Guid/VariableFormat.h (AUTHENTICATED_VARIABLE_HEADER).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from uuid import UUID

from provisioner.errors import IntegrityError

_X509 = UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")
_GLOBAL = UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
_DATABASE = UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")
_SWITCH = UUID("f0a30bc7-af08-4556-99c4-001009c93a44")
_STORE = UUID("aaf32c78-947b-439a-a180-2e144ec37792")

# Kept, seen by firmware, seen by the system, and changed only by who signs with a time.
_KEPT, _BY_FIRMWARE, _BY_SYSTEM, _AUTHENTICATED = 0x1, 0x2, 0x4, 0x20
_OF_KEYS = _KEPT | _BY_FIRMWARE | _BY_SYSTEM | _AUTHENTICATED

_LIST = struct.Struct("<16sIII")
_VARIABLE = struct.Struct("<HBBIQ16sIII16s")
_START, _WHOLE = 0x55AA, 0x3F
# Behind the header of the volume comes that of the store: its GUID, its size, and 8 octets of state.
_VOLUME_HEADER, _STORE_HEADER = 48, 28
_FREE = 0xFF


def signature_list(certificate: bytes, owner: UUID) -> bytes:
    """The list that holds one certificate (DER) of an owner."""
    size = 16 + len(certificate)
    return _LIST.pack(_X509.bytes_le, _LIST.size + size, 0, size) + owner.bytes_le + certificate


@dataclass(frozen=True, slots=True)
class _Variable:
    name: str
    vendor: UUID
    attributes: int
    data: bytes

    def packed(self) -> bytes:
        name = self.name.encode("utf-16-le") + b"\0\0"
        sizes = len(name), len(self.data)
        head = _VARIABLE.pack(*(_START, _WHOLE, 0, self.attributes, 0, bytes(16), 0, *sizes, self.vendor.bytes_le))
        raw = head + name + self.data
        return raw + bytes((_FREE,)) * (-len(raw) % 4)


def enrolled(empty: bytes, keys: bytes) -> bytes:
    """The variable store of OVMF with Secure Boot on: `keys`, a signature list, is who may do everything.

    `empty` is a store without variables (`OVMF_VARS_4M.fd`). IntegrityError for anything else.
    """
    length = int.from_bytes(empty[_VOLUME_HEADER : _VOLUME_HEADER + 2], "little")
    start = length + _STORE_HEADER
    if empty[length : length + 16] != _STORE.bytes_le or set(empty[start : start + 64]) != {_FREE}:
        hint = "take OVMF_VARS_4M.fd of the package ovmf"
        raise IntegrityError("this is no empty variable store of OVMF", hint=hint)
    variables = [
        _Variable("SecureBootEnable", _SWITCH, _KEPT | _BY_FIRMWARE, b"\x01"),
        _Variable("db", _DATABASE, _OF_KEYS, keys),
        _Variable("KEK", _GLOBAL, _OF_KEYS, keys),
        _Variable("PK", _GLOBAL, _OF_KEYS, keys),
    ]
    content = b"".join(each.packed() for each in variables)
    return empty[:start] + content + empty[start + len(content) :]
