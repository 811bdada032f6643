"""What tests of the lab boot: the smallest guest there is, and a stand-in for the daemon.

End-to-end tests use `provisioner.lab.cluster.Lab` with `DaemonCommand.serve(paths)` in its place.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from ipaddress import IPv4Interface
from pathlib import Path

from provisioner.archive import cpio
from provisioner.archive.tree import Entry, Kind, with_parents
from provisioner.errors import CommandError
from provisioner.host.files import locked
from provisioner.host.run import run
from provisioner.lab.daemon import DaemonCommand
from provisioner.lab.machine import DirectBoot
from provisioner.lab.network import BRIDGE, LabNetwork

NETWORK = LabNetwork(IPv4Interface("10.77.0.1/24"))

_CACHE = Path(__file__).resolve().parents[2] / ".cache" / "kernel"
_IPXE = Path("/usr/lib/ipxe")
_META_PACKAGE = "linux-image-cloud-amd64"


def kernel() -> Path:
    """Debian's kernel for virtual machines, downloaded once into .cache/kernel."""
    with locked(_CACHE.with_suffix(".lock")):
        if not any(_CACHE.glob("vmlinuz-*")):
            _download_kernel()
    return max(_CACHE.glob("vmlinuz-*"))


def busybox_boot(folder: Path, script: str) -> DirectBoot:
    """A boot of nothing but a kernel and busybox, which runs this shell script and switches the machine off."""
    init = f"#!/bin/busybox sh\n/bin/busybox mount -t proc proc /proc\n{script}\n/bin/busybox poweroff -f\n"
    entries = [
        Entry("init", Kind.FILE, init.encode(), mode=0o755),
        Entry("bin/busybox", Kind.FILE, Path("/bin/busybox").read_bytes(), mode=0o755),
        Entry("proc", Kind.DIRECTORY, mode=0o755),
        Entry("dev", Kind.DIRECTORY, mode=0o755),
    ]
    initrd = folder / "initrd"
    initrd.write_bytes(cpio.pack(with_parents(entries)))
    return DirectBoot(kernel(), initrd, "console=ttyS0 quiet panic=-1")


def dnsmasq(folder: Path, scripts: Mapping[str, str]) -> DaemonCommand:
    """dnsmasq as DHCP and TFTP server of a lab: firmware gets a loader, iPXE the script `boot.ipxe`."""
    files = folder / "tftp"
    files.mkdir()
    for loader in ("undionly.kpxe", "snponly.efi"):
        shutil.copyfile(_IPXE / loader, files / loader)
    for name, script in scripts.items():
        (files / name).write_text(script)
    started = folder / "dnsmasq.pid"
    words = (
        *("dnsmasq", "--keep-in-foreground", "--log-facility=-", "--conf-file=/dev/null", "--user=root"),
        *(f"--pid-file={started}", "--port=0", f"--interface={BRIDGE}", "--bind-dynamic"),
        *("--dhcp-range=10.77.0.50,10.77.0.99", "--dhcp-leasefile=/dev/null", "--log-dhcp"),
        # iPXE waits 13 s for an IPv6 router unless one says that it is none.
        *("--enable-ra", "--dhcp-range=fd77::,ra-only", f"--ra-param={BRIDGE},0,0"),
        *("--enable-tftp", f"--tftp-root={files}"),
        *("--dhcp-match=set:ipxe,175", "--dhcp-match=set:efi,93,7"),
        *("--dhcp-boot=tag:ipxe,boot.ipxe", "--dhcp-boot=tag:!ipxe,tag:efi,snponly.efi"),
        # iPXE waits 3 s for a second DHCP server unless it is told that there is none.
        "--dhcp-option-force=encap:175,176,1b",
    )
    return DaemonCommand(words, started.exists)


def _download_kernel() -> None:
    _CACHE.mkdir(parents=True, exist_ok=True)
    try:
        described = run(["apt-cache", "show", "--no-all-versions", _META_PACKAGE])
        depends = re.search(r"^Depends: (linux-image-\S+)", described, re.MULTILINE)
        assert depends is not None, f"{_META_PACKAGE} depends on no kernel; type: apt-get update"
        run(["apt-get", "download", depends[1]], cwd=_CACHE)
    except CommandError as error:
        raise AssertionError(f"no kernel to boot: {error.message}; type: apt-get update") from error
    (package,) = _CACHE.glob("linux-image-*.deb")
    run(["dpkg-deb", "--extract", package, _CACHE / "tree"])
    for image in (_CACHE / "tree" / "boot").glob("vmlinuz-*"):
        image.rename(_CACHE / image.name)
    shutil.rmtree(_CACHE / "tree")
    package.unlink()
