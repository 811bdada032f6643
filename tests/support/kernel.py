"""Files that look like kernels to whoever reads their header."""

from __future__ import annotations


def bzimage(release: str) -> bytes:
    """A file with the header of an x86 kernel of this release, and nothing that runs."""
    head = bytearray(0x4000)
    head[0x202:0x206] = b"HdrS"
    head[0x20E:0x210] = (0x3000 - 0x200).to_bytes(2, "little")
    text = f"{release} (builder@host) #1 SMP".encode() + b"\0"
    head[0x3000 : 0x3000 + len(text)] = text
    return bytes(head)


def arm_image(release: str) -> bytes:
    """A file with the header of an uncompressed ARM64 kernel of this release, and nothing that runs."""
    head = bytearray(0x3000)
    head[56:60] = b"ARM\x64"
    text = f"Linux version {release} (builder@host) #1 SMP".encode() + b"\0"
    head[0x2000 : 0x2000 + len(text)] = text
    return bytes(head)
