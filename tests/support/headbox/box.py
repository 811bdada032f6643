"""The disk of the head node: made once and kept below .cache until its ingredients change."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from provisioner.host.files import locked
from provisioner.host.run import run
from provisioner.image import apt

CHECKOUT = Path(__file__).resolve().parents[3]
_CACHE = CHECKOUT / ".cache" / "headbox"
_CUSTOMIZE = Path(__file__).with_name("customize.sh")
_LOCK = CHECKOUT / "packaging" / "requirements.lock"
_PACKAGES = (
    *("systemd-sysv", "udev", "dbus", "linux-image-cloud-amd64", "initramfs-tools", "zstd", "openssh-server"),
    *("python3", "python3-venv", "iproute2", "ipxe", "curl", "procps", "kmod", "squashfs-tools", "libcap2-bin"),
    *("skopeo", "ca-certificates", "sudo", "rsync", "grub-pc-bin"),
)
_BYTES = 6 << 30
_FIRST_SECTOR = 2048
_SECTOR = 512


@dataclass(frozen=True, slots=True)
class Box:
    """A raw disk with one file system, the kernel and initramfs that start it, and the key of its root."""

    folder: Path

    @property
    def disk(self) -> Path:
        return self.folder / "disk.raw"

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd"

    @property
    def key(self) -> Path:
        return self.folder / "key"

    @property
    def vagrant(self) -> Path:
        """The same disk as a box of vagrant-libvirt."""
        return self.folder / "debian12.box"


def box() -> Box:
    """The box, built where it is missing; several test processes may ask at once."""
    folder = _CACHE / _ingredients()
    with locked(_CACHE.with_suffix(".lock")):
        if not (folder / "complete").exists():
            shutil.rmtree(_CACHE, ignore_errors=True)
            folder.mkdir(parents=True)
            _make(Box(folder))
            (folder / "complete").touch()
    return Box(folder)


def _ingredients() -> str:
    parts = (_CUSTOMIZE.read_bytes(), Path(__file__).read_bytes(), _LOCK.read_bytes())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _make(made: Box) -> None:
    folder, tree = made.folder, made.folder / "tree"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "head", "-f", made.key])
    sources = apt.write(folder, apt.sources("bookworm"))
    options = ["--mode=root", "--variant=minbase", "--format=directory", f"--include={','.join(_PACKAGES)}"]
    options += ["--aptopt=APT::Install-Recommends false", "--dpkgopt=path-exclude=/usr/share/doc/*"]
    hook = f'{_CUSTOMIZE} "$1" {_wheels(folder)} {made.key}.pub {_vagrant_key()}'
    command = ["unshare", "--mount", "--propagation", "private", "mmdebstrap", *options]
    with (folder / "log").open("wb") as log:
        run([*command, f"--customize-hook={hook}", "bookworm", tree, sources], timeout=1800, stdout=log)
    for name, kept in (("vmlinuz-*", made.kernel), ("initrd.img-*", made.initrd)):
        shutil.copyfile(next((tree / "boot").glob(name)), kept)
    _make_disk(tree, made.disk)
    shutil.rmtree(tree)
    _pack(made)


def _vagrant_key() -> Path:
    """The public key that Debian's package keeps somewhere in its gem."""
    files = run(["dpkg", "--listfiles", "vagrant"]).splitlines()
    return next(Path(file) for file in files if file.endswith("keys/vagrant.pub"))


def _pack(made: Box) -> None:
    """A box in vagrant-libvirt's format for one disk, whose size has to be told in GB."""
    image = made.folder / "box.img"
    options = ["-c", "-O", "qcow2", "-o", "compression_type=zstd"]
    run(["qemu-img", "convert", *options, made.disk, image], timeout=600)
    told = {"provider": "libvirt", "format": "qcow2", "virtual_size": _BYTES >> 30}
    settings = 'Vagrant.configure("2") { |c| c.vm.provider(:libvirt) { |lv| lv.disk_bus = "virtio" } }\n'
    with tarfile.open(made.vagrant, "w") as archive:
        archive.add(image, "box.img")
        for name, text in (("metadata.json", json.dumps(told)), ("Vagrantfile", settings)):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    image.unlink()


def _make_disk(tree: Path, disk: Path) -> None:
    """A disk with GRUB and one partition, made of plain files: nothing is mounted, no loop device is needed."""
    start = _FIRST_SECTOR * _SECTOR
    with disk.open("wb") as stream:
        stream.truncate(_BYTES)
    run(["sfdisk", "--quiet", disk], stdin=f"label: dos\nstart={_FIRST_SECTOR}, type=83, bootable\n".encode())
    options = ["-O", "^metadata_csum_seed,^orphan_file", "-E", f"offset={start}"]
    size = f"{(_BYTES - start) // 1024}k"
    run(["mke2fs", "-q", "-t", "ext4", "-L", "root", *options, "-d", tree, disk, size], timeout=600)
    with disk.open("r+b") as stream:
        # The partition table is in the same sector, behind the code.
        stream.write((tree / "boot/grub/boot.img").read_bytes()[:440])
        stream.seek(_SECTOR)
        core = (tree / "boot/grub/core.img").read_bytes()
        assert len(core) < start - _SECTOR
        stream.write(core)


def _wheels(folder: Path) -> Path:
    """The locked packages that the product needs, as wheels; those for development are left out."""
    wheels = folder / "wheels"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, CHECKOUT], timeout=300)
    own = next(wheels.glob("provisioner-*.whl"))
    constraint = folder / "constraint.txt"
    constraint.write_text(_pinned(_LOCK.read_text()))
    run([*pip, "download", "--dest", wheels, "--constraint", constraint, own], timeout=600)
    own.unlink()
    return wheels


def _pinned(lock: str) -> str:
    """The versions of a lock without its digests, which pip would then want of our own wheel too."""
    return "".join(
        f"{line.split()[0]}\n" for line in lock.splitlines() if "==" in line and not line.startswith(" ")
    )
