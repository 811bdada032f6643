"""Disks with something tiny installed that says one sentence when it is booted: an MBR, and an EFI program."""

from __future__ import annotations

import struct
from pathlib import Path

from provisioner.host.run import run

SAID = "INSTALLED ON DISK"

_SECTOR = 512
_SERIAL_PORT = 0x3F8
_ALIGNED = 0x200


def bios_disk(path: Path) -> Path:
    """A disk whose master boot record prints the sentence on the first serial port, and halts."""
    code = bytes.fromhex("fa31c08ed8be") + struct.pack("<H", 0x7C00 + 32)
    # lodsb; test al,al; jz halt; mov dx,PORT; out dx,al; jmp lodsb; halt: hlt; jmp halt
    code += bytes.fromhex("ac84c07406ba") + struct.pack("<H", _SERIAL_PORT) + bytes.fromhex("eeebf5f4ebfd")
    record = code.ljust(32, b"\x90") + f"\r\n{SAID}\r\n\0".encode()
    with path.open("wb") as stream:
        stream.write(record.ljust(_SECTOR - 2, b"\0") + b"\x55\xaa")
        stream.truncate(8 << 20)
    return path


def efi_disk(path: Path) -> Path:
    """A disk with an EFI system partition, whose `\\EFI\\BOOT\\BOOTX64.EFI` prints the sentence, and halts."""
    with path.open("wb") as stream:
        stream.truncate(64 << 20)
    run(["sfdisk", "--quiet", path], stdin=b"label: gpt\nstart=2048, type=uefi\n")
    program = path.with_suffix(".efi")
    program.write_bytes(_program())
    partition = path.with_suffix(".fat")
    with partition.open("wb") as stream:
        stream.truncate(60 << 20)
    run(["mkfs.vfat", "-F", "32", partition])
    # By mtools: the kernel of the machine may know no FAT.
    run(["mmd", "-i", partition, "::/EFI", "::/EFI/BOOT"])
    run(["mcopy", "-i", partition, program, "::/EFI/BOOT/BOOTX64.EFI"])
    run(["dd", f"if={partition}", f"of={path}", "bs=1M", "seek=1", "conv=notrunc,sparse", "status=none"])
    return path


def _program() -> bytes:
    """A PE32+ image of one section (PE format, sections 3 to 5; UEFI 2.10, section 2.1.1)."""
    # sub rsp,0x28; mov rcx,[rdx+64] (ConOut); lea rdx,[rip+7] (text); call [rcx+8] (OutputString); pause, for ever
    code = bytes.fromhex("4883ec28488b4a40488d1507000000ff5108f390ebfc")
    section = (code + f"\r\n{SAID}\r\n\0".encode("utf-16-le")).ljust(_ALIGNED, b"\0")
    dos = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40)
    coff = b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, 1, 0, 0, 0, 0xF0, 0x022E)
    # Magic, sizes, entry and base of code; then the 64-bit fields, for an EFI application (subsystem 10).
    optional = struct.pack("<HBBIIIII", 0x20B, 0, 0, _ALIGNED, 0, 0, 0x1000, 0x1000)
    sizes = (0x400000, 0x1000, _ALIGNED, *(0,) * 6, 0, 0x2000, _ALIGNED, 0)
    optional += struct.pack("<QIIHHHHHHIIIIHH", *sizes, 10, 0)
    optional += struct.pack("<QQQQII", 0x100000, 0x1000, 0x100000, 0x1000, 0, 16) + bytes(16 * 8)
    place = (_ALIGNED, 0x1000, _ALIGNED, _ALIGNED)
    header = b".text\0\0\0" + struct.pack("<IIIIIIHHI", *place, 0, 0, 0, 0, 0x60000020)
    return (dos + coff + optional + header).ljust(_ALIGNED, b"\0") + section
