"""OCI image layouts made to measure: good, odd and hostile ones, without any tool."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.kernel import bzimage

MTIME = 1_600_000_000
CREATED = "2024-05-06T07:08:09Z"
CREATED_SECONDS = 1_714_979_289
CAPABILITY = b"\x01\x00\x00\x02" + (0x3000 | 0x80).to_bytes(4, "little") + b"\0" * 12

_KINDS = {
    "file": tarfile.REGTYPE,
    "directory": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
    "char": tarfile.CHRTYPE,
    "block": tarfile.BLKTYPE,
    "pipe": tarfile.FIFOTYPE,
}
_MEDIA_TYPES = {
    "gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
    "zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
    "none": "application/vnd.oci.image.layer.v1.tar",
}


class Tar:
    """An archive that grows entry by entry."""

    def __init__(self) -> None:
        self._buffer = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._buffer, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - done() closes it

    def add(
        self,
        name: str,
        kind: str = "file",
        *,
        data: bytes = b"",
        mode: int | None = None,
        owner: tuple[int, int] = (0, 0),
        link: str = "",
        xattrs: Mapping[str, bytes] | None = None,
        device: tuple[int, int] = (0, 0),
        mtime: int = MTIME,
    ) -> Tar:
        """Add one entry and return the archive."""
        info = tarfile.TarInfo(name)
        info.type = _KINDS[kind]
        info.mode = (0o755 if kind == "directory" else 0o644) if mode is None else mode
        info.uid, info.gid = owner
        info.mtime = mtime
        info.linkname = link
        info.devmajor, info.devminor = device
        info.pax_headers = {
            f"SCHILY.xattr.{key}": value.decode("utf-8", "surrogateescape")
            for key, value in (xattrs or {}).items()
        }
        info.size = len(data) if kind == "file" else 0
        self._tar.addfile(info, io.BytesIO(data) if kind == "file" else None)
        return self

    def done(self) -> bytes:
        """The finished archive."""
        self._tar.close()
        return self._buffer.getvalue()


@dataclass
class Layout:
    """An OCI layout that is being written into a folder."""

    folder: Path
    manifests: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "blobs" / "sha256").mkdir(parents=True)
        (self.folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        self.write_index()

    def blob(self, content: bytes) -> dict[str, Any]:
        """Store a blob and return its digest and size."""
        digest = hashlib.sha256(content).hexdigest()
        (self.folder / "blobs" / "sha256" / digest).write_bytes(content)
        return {"digest": f"sha256:{digest}", "size": len(content)}

    def read(self, digest: str) -> bytes:
        """The content of a blob."""
        return (self.folder / "blobs" / digest.replace(":", "/")).read_bytes()

    def document(self, kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Store a JSON document and return its descriptor."""
        return {"mediaType": kind, **self.blob(json.dumps(content).encode())}

    def layer(self, archive: bytes, compression: str = "gzip") -> dict[str, Any]:
        """Store a layer and return its descriptor."""
        return {"mediaType": _MEDIA_TYPES[compression], **self.blob(compress(archive, compression))}

    def image(
        self,
        layers: Sequence[bytes],
        *,
        compressions: Sequence[str] = (),
        architecture: str = "amd64",
        diff_ids: Sequence[str] | None = None,
        descriptors: Sequence[dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """Store an image and return the descriptor of its manifest."""
        packings = [*compressions, *["gzip"] * (len(layers) - len(compressions))]
        found = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
        config = self.document(
            "application/vnd.oci.image.config.v1+json",
            {
                "architecture": architecture,
                "os": "linux",
                "created": CREATED,
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": list(diff_ids or found)},
            },
        )
        stored = descriptors or [self.layer(*pair) for pair in zip(layers, packings, strict=True)]
        kind = "application/vnd.oci.image.manifest.v1+json"
        manifest = {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": list(stored)}
        return {**self.document(kind, manifest), "platform": {"architecture": architecture, "os": "linux"}}

    def index(self, entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Store an index and return its descriptor."""
        kind = "application/vnd.oci.image.index.v1+json"
        return self.document(kind, {"schemaVersion": 2, "mediaType": kind, "manifests": list(entries)})

    def name(self, descriptor: dict[str, Any], tag: str | None = None) -> None:
        """Put a descriptor into index.json, tagged or not."""
        annotations = {"annotations": {"org.opencontainers.image.ref.name": tag}} if tag else {}
        self.manifests.append({**descriptor, **annotations})
        self.write_index()

    def write_index(self) -> None:
        """Write index.json."""
        (self.folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": self.manifests}))


def layout(folder: Path, layers: Sequence[bytes], compressions: Sequence[str] = ()) -> Path:
    """A layout with one image of these layers."""
    made = Layout(folder)
    made.name(made.image(layers, compressions=compressions), "latest")
    return folder


def compress(archive: bytes, compression: str) -> bytes:
    """The archive as a layer is stored."""
    if compression == "gzip":
        return gzip.compress(archive, 1, mtime=0)
    if compression == "zstd":
        return subprocess.run(["zstd", "-q", "-c"], input=archive, capture_output=True, check=True).stdout
    return archive


def good_layers() -> list[bytes]:
    """Three layers with everything that an honest image may do."""
    first = Tar()
    for name in ("usr", "usr/lib", "usr/bin", "etc", "etc/keep", "etc/opq", "dev", "var", "var/x"):
        first.add(name, "directory")
    first.add("lib", "symlink", link="usr/lib").add("usr/lib/abs", "symlink", link="/usr/bin")
    first.add("etc/opq/old", data=b"old").add("etc/keep/gone", data=b"x").add("etc/keep/stay", data=b"y")
    first.add("usr/bin/ping", data=b"PING", mode=0o755, xattrs={"security.capability": CAPABILITY})
    first.add("usr/bin/capable", data=b"C", mode=0o755, xattrs={"security.capability": CAPABILITY})
    first.add("usr/bin/su", data=b"SU", mode=0o4755)
    labels = {"security.selinux": b"system_u:object_r:etc_t:s0\0", "user.foo": b"\xff\x00bin"}
    first.add("etc/label", data=b"l", xattrs=labels).add("etc/plain", data=b"p")
    first.add("usr/bin/hl1", data=b"HL").add("usr/bin/hl2", "hardlink", link="usr/bin/hl1")
    first.add("dev/null", "char", mode=0o666, device=(1, 3)).add("var/fifo", "pipe")
    first.add("dev/loop", "block", mode=0o660, device=(7, 0), owner=(0, 6))
    first.add("var/big", data=b"u", owner=(4_000_000, 2_000_000_000)).add("var/" + "n" * 180, data=b"long")
    first.add("var/\u00fcml\udce4ut", data=b"latin")
    first.add("var/x/d2l", "directory").add("var/x/d2l/f", data=b"1")
    first.add("var/x/l2d", "symlink", link="/etc/keep").add("var/x/f2d", data=b"f")
    first.add("var/sticky", "directory", mode=0o1777).add("var/ro", "directory", mode=0o555)
    first.add("var/ro/f", data=b"q")

    second = Tar().add("lib/new.so", data=b"through symlink").add("etc/opq", "directory", mode=0o750)
    second.add("etc/opq/first", data=b"added before the marker").add("etc/opq/.wh..wh..opq")
    second.add("etc/opq/new", data=b"new").add("etc/keep/.wh.gone").add("etc/.wh.doesnotexist")
    second.add("var/x/d2l", "symlink", link="/usr").add("var/x/l2d", "directory").add("var/x/l2d/inner", data=b"i")
    second.add("var/x/f2d", "directory").add("var/x/f2d/z", data=b"z")
    second.add("usr/bin/hl3", "hardlink", link="usr/bin/hl1").add(".wh..wh.plnk", "directory")
    second.add("./usr/bin/dot", data=b".").add("/usr/bin/lead", data=b"/")
    second.add("implicit/parent/file", data=b"no folder entries").add("var/ro/g", data=b"in ro dir")
    second.add("usr/lib/abs/viaabs", data=b"via absolute symlink")

    third = Tar().add("usr/bin/ping", data=b"PING2", mode=0o755)
    return [first.done(), second.done(), third.done()]


def hostile_layers(outside: Path) -> dict[str, list[bytes]]:
    """Images that try to reach a folder outside, which holds a file `secret`."""
    there, up = str(outside), "../" * 12 + str(outside).strip("/")
    return {
        "dot-dot": [Tar().add(up + "/pwn1", data=b"x").done()],
        "absolute": [Tar().add(there + "/pwn2", data=b"x").done()],
        "hardlink-with-dot-dot": [Tar().add("s", "hardlink", link=up + "/secret").done()],
        "nul-in-name": [Tar().add("\u00e4\0b", data=b"x").done()],
        "root-is-a-symlink": [Tar().add(".", "symlink", link=there).add("pwn5", data=b"x").done()],
        **_through_links(there, up),
        **_whiteouts(there),
    }


def _link(there: str) -> Tar:
    return Tar().add("e", "symlink", link=there)


def _through_links(there: str, up: str) -> dict[str, list[bytes]]:
    return {
        "symlink-then-write": [_link(there).add("e/pwn3", data=b"x").done()],
        "symlink-then-write-in-next-layer": [_link(up).done(), Tar().add("e/pwn4", data=b"x").done()],
        "hardlink-through-symlink": [
            _link(there).add("s", "hardlink", link="e/secret").add("s", data=b"OVERWRITTEN").done()
        ],
        "hardlink-to-symlink": [
            _link(there + "/secret").add("h", "hardlink", link="e").done(),
            Tar().add("h", data=b"OVERWRITTEN").done(),
        ],
        "directory-over-symlink": [
            _link(there).done(),
            Tar().add("e", "directory", mode=0o777, owner=(1234, 0)).done(),
        ],
        "attributes-of-symlink": [
            Tar()
            .add("e", "symlink", link=there + "/secret", xattrs={"user.pwn": b"1"}, mode=0o777, owner=(77, 0))
            .done()
        ],
    }


def _whiteouts(there: str) -> dict[str, list[bytes]]:
    return {
        "whiteout-of-dot-dot": [Tar().add("d", "directory").done(), Tar().add("d/.wh...").done()],
        "whiteout-of-dot": [Tar().add("d", "directory").done(), Tar().add("d/.wh..").done()],
        "whiteout-through-symlink": [_link(there).done(), Tar().add("e/.wh.secret").done()],
        "opaque-through-symlink": [_link(there).done(), Tar().add("e/.wh..wh..opq").done()],
        "opaque-root": [
            Tar().add("a", data=b"x").done(),
            Tar().add(".wh..wh..opq").add("b", data=b"y").done(),
        ],
    }


def bootable_layer(release: str = "6.1.0-1-test") -> bytes:
    """A layer that looks bootable to an inspection: a kernel header, an index of modules, an init."""
    tar = Tar()
    for name in ("boot", "etc", "usr", "usr/lib", "usr/lib/modules", f"usr/lib/modules/{release}", "usr/sbin"):
        tar.add(name, "directory")
    tar.add("lib", "symlink", link="usr/lib").add("sbin", "symlink", link="usr/sbin")
    tar.add(f"boot/vmlinuz-{release}", data=bzimage(release))
    tar.add(f"boot/config-{release}", data=b"CONFIG_RD_ZSTD=y\nCONFIG_SQUASHFS_ZSTD=y\n")
    tar.add(f"usr/lib/modules/{release}/modules.dep").add("usr/sbin/init", data=b"#!/bin/sh\n", mode=0o755)
    tar.add("etc/os-release", data=b'ID=toy\nVERSION_ID="1"\nPRETTY_NAME="Toy Linux 1"\n')
    return tar.done()
