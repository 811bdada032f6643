"""Which compression the kernel of an image can undo: asked of its own configuration, never of its name."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from provisioner.image import inside
from provisioner.image.kernel import Kernel

_LIMIT = 4 << 20
_NEEDED = {"SQUASHFS": "squashfs", "OVERLAY_FS": "overlayfs", "BLK_DEV_LOOP": "loop devices"}


class Codec(Enum):
    """A compression that we write: zstd where it is understood, gzip everywhere else."""

    ZSTD = "zstd"
    GZIP = "gzip"


@dataclass(frozen=True, slots=True)
class Codecs:
    """What to write for a kernel: the compression of stage 1, that of the root image, and what to warn of."""

    stage1: Codec
    root: Codec
    warnings: tuple[str, ...] = ()


def choose(root: Path, kernel: Kernel) -> Codecs:
    """The best compression for a kernel of a tree. A kernel without a configuration file gets gzip for both."""
    config = configuration(root, kernel)
    if not config:
        warning = f"no configuration of kernel {kernel.release} in the image: packed with gzip, to be safe"
        return Codecs(Codec.GZIP, Codec.GZIP, (warning,))
    return Codecs(
        stage1=Codec.ZSTD if config.get("RD_ZSTD") == "y" else Codec.GZIP,
        root=Codec.ZSTD if config.get("SQUASHFS_ZSTD") == "y" else Codec.GZIP,
        warnings=tuple(
            f"kernel {kernel.release} has no {text}" for key, text in _NEEDED.items() if key not in config
        ),
    )


def configuration(root: Path, kernel: Kernel) -> Mapping[str, str]:
    """The set options of a kernel of a tree without their CONFIG_; empty when the image does not hold them."""
    content = inside.read_regular(kernel.modules / "config", limit=_LIMIT)
    if content is None:
        content = inside.read(root, f"/boot/config-{kernel.release}", limit=_LIMIT)
    if content is None:
        return {}
    if content.startswith(b"\x1f\x8b"):
        content = _gunzip(content)
    return parse(content.decode("ascii", "replace"))


def parse(text: str) -> Mapping[str, str]:
    """The set options of a kernel configuration without their CONFIG_."""
    lines = (line.split("=", 1) for line in text.splitlines() if line.startswith("CONFIG_") and "=" in line)
    return {key.removeprefix("CONFIG_"): value for key, value in lines}


def _gunzip(content: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(content, _LIMIT)
    except zlib.error:
        return b""
