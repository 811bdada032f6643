"""Which compression the kernel of an image can undo: asked of its own configuration, never of its name."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from provisioner.errors import ProvisionerError
from provisioner.image import inside
from provisioner.image.kernel import Kernel

_LIMIT = 4 << 20
_NEEDED = {"SQUASHFS": "squashfs", "OVERLAY_FS": "overlayfs", "BLK_DEV_LOOP": "loop devices"}


class Codec(Enum):
    """A compression that we write: zstd where it is understood, gzip everywhere else.

    The last two are for those who ask: lz4 where the network is faster than the nodes, xz where it is slow.
    """

    ZSTD = "zstd"
    GZIP = "gzip"
    XZ = "xz"
    LZ4 = "lz4"


_SQUASHFS = {
    Codec.ZSTD: "SQUASHFS_ZSTD",
    Codec.GZIP: "SQUASHFS_ZLIB",
    Codec.XZ: "SQUASHFS_XZ",
    Codec.LZ4: "SQUASHFS_LZ4",
}


@dataclass(frozen=True, slots=True)
class Codecs:
    """What to write for a kernel: the compression of stage 1, that of the root image, and what to warn of."""

    stage1: Codec
    root: Codec
    warnings: tuple[str, ...] = ()


def choose(root: Path, kernel: Kernel, wanted: str = "") -> Codecs:
    """The best compression for a kernel of a tree. A kernel without a configuration file gets gzip for both.

    `wanted` is the compression of the root; ProvisionerError when there is no such, or the kernel cannot undo it.
    """
    config = configuration(root, kernel)
    best = _best(config, kernel)
    return best if not wanted else replace(best, root=_wanted(wanted, config, kernel))


def _wanted(name: str, config: Mapping[str, str], kernel: Kernel) -> Codec:
    if name not in {each.value for each in Codec}:
        known = ", ".join(each.value for each in Codec)
        raise ProvisionerError(f"there is no compression {name!r} for roots", hint=f"choose one of {known}")
    codec = Codec(name)
    if config and config.get(_SQUASHFS[codec]) != "y":
        message = f"kernel {kernel.release} of the image cannot undo {name}: CONFIG_{_SQUASHFS[codec]} is not set"
        raise ProvisionerError(message, hint="leave the choice to the image: drop the codec")
    return codec


def _best(config: Mapping[str, str], kernel: Kernel) -> Codecs:
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
