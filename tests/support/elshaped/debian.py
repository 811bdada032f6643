"""The Debian tree whose programs go into el-shaped packages."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from provisioner.host.run import run
from provisioner.image import apt

EPOCH = 1_686_355_200
PACKAGES = [
    "ca-certificates",
    "chrony",
    "cpio",
    "curl",
    "db5.3-util",
    "dbus",
    "dnf",
    "ethtool",
    "hostname",
    "iproute2",
    "iputils-ping",
    "kmod",
    "less",
    "libnss-myhostname",
    "libpam-systemd",
    "linux-image-amd64",
    "linux-image-cloud-amd64",
    "munge",
    "network-manager",
    "openssh-client",
    "openssh-server",
    "procps",
    "python3",
    "rpm",
    "rsync",
    "systemd",
    "systemd-sysv",
    "tiny-initramfs",
    "udev",
    "xz-utils",
    "zstd",
]
_UNWANTED = (
    *(f"/usr/share/{name}/*" for name in ("bash-completion", "doc", "info", "lintian", "locale", "man")),
    "/etc/kernel/postinst.d/*",
    "/lib/modules/*/kernel/sound/*",
    # What no virtual machine has; unpacking it would cost most of the time.
    *(
        f"/lib/modules/*/kernel/drivers/{name}/*"
        for name in ("gpu", "infiniband", "media", "net/wireless", "scsi", "staging", "usb", "iio", "input")
    ),
)


@dataclass(frozen=True)
class DebianTree:
    """An installed tree: which package brought each path, and which package needs which."""

    root: Path

    @classmethod
    def make(cls, folder: Path) -> DebianTree:
        """Install the tree into a new folder; the apt sources of this machine are used."""
        sources = apt.write(folder.parent, apt.sources("bookworm"))
        options = ["--mode=root", "--variant=minbase", "--format=directory", f"--include={','.join(PACKAGES)}"]
        options += ["--aptopt=APT::Install-Recommends false", "--aptopt=Acquire::Languages none"]
        options += [f"--dpkgopt=path-exclude={path}" for path in _UNWANTED]
        environment = {"SOURCE_DATE_EPOCH": str(EPOCH), "INITRD": "No"}
        run(
            [
                "unshare",
                "--mount",
                "--propagation",
                "private",
                "mmdebstrap",
                *options,
                "bookworm",
                folder,
                sources,
            ],
            timeout=1800,
            environment=environment,
        )
        return cls(folder)

    def paths(self) -> Iterator[tuple[str, str]]:
        """Package and path of everything that dpkg installed and that is still there, folders included."""
        for file in sorted((self.root / "var/lib/dpkg/info").glob("*.list")):
            package = file.stem.partition(":")[0]
            for path in file.read_text().splitlines():
                if path not in ("/.", "/") and os.path.lexists(self.place(path)):
                    yield package, path

    def needs(self) -> Iterator[tuple[str, str]]:
        """Pairs of a package and one that it depends on, of several alternatives the first."""
        status = (self.root / "var/lib/dpkg/status").read_text(errors="replace")
        for stanza in status.split("\n\n"):
            fields = dict(re.findall(r"^(Package|Depends|Pre-Depends): (.*)$", stanza, re.MULTILINE))
            for key in ("Depends", "Pre-Depends"):
                for wanted in fields.get(key, "").split(","):
                    if name := re.match(r"\s*([a-z0-9.+-]+)", wanted):
                        yield fields["Package"], name[1]

    def kernels(self) -> dict[str, str]:
        """The releases of its kernels by what their names end with: `cloud-amd64` and `amd64`."""
        releases = [file.name.removeprefix("vmlinuz-") for file in (self.root / "boot").glob("vmlinuz-*")]
        return {"cloud-amd64" if "cloud" in each else "amd64": each for each in releases}

    def place(self, path: str) -> Path:
        """Where a path of the tree lies."""
        return self.root / path.lstrip("/")
