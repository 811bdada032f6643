"""Which well-known programs an image has: what sets its network up, its clock, its jobs, its logins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from provisioner.image import inside
from provisioner.model.inventory import Service, Unit


@dataclass(frozen=True, slots=True)
class Known:
    """How a program is recognised: any of the files, and its units in any distribution (none: it needs none)."""

    files: tuple[str, ...]
    units: tuple[str, ...] = ()


NETWORK: Mapping[str, Known] = {
    "systemd-networkd": Known(("/lib/systemd/systemd-networkd",), ("systemd-networkd.service",)),
    "NetworkManager": Known(("/usr/sbin/NetworkManager",), ("NetworkManager.service",)),
    "netplan": Known(("/usr/sbin/netplan",)),
    # Others bring an ifup of their own, so that is no sign of it.
    "ifupdown": Known(("/lib/ifupdown/wait-online.sh",), ("networking.service",)),
    "network-scripts": Known(("/etc/sysconfig/network-scripts/network-functions",), ("network.service",)),
    "wicked": Known(("/usr/sbin/wicked",), ("wicked.service",)),
}
SERVICES: Mapping[str, Known] = {
    "sshd": Known(("/usr/sbin/sshd",), ("ssh.service", "sshd.service", "ssh.socket", "sshd.socket")),
    "systemd-resolved": Known(("/lib/systemd/systemd-resolved",), ("systemd-resolved.service",)),
    "systemd-timesyncd": Known(("/lib/systemd/systemd-timesyncd",), ("systemd-timesyncd.service",)),
    "chrony": Known(("/usr/sbin/chronyd",), ("chrony.service", "chronyd.service")),
    "ntpd": Known(("/usr/sbin/ntpd",), ("ntp.service", "ntpd.service", "ntpsec.service")),
    "munge": Known(("/usr/sbin/munged",), ("munge.service",)),
    "slurmd": Known(("/usr/sbin/slurmd",), ("slurmd.service",)),
    "cloud-init": Known(("/usr/bin/cloud-init",), ("cloud-init.service", "cloud-init-main.service")),
    "sssd": Known(("/usr/sbin/sssd",), ("sssd.service",)),
    "autofs": Known(("/usr/sbin/automount",), ("autofs.service",)),
    "nfs-client": Known(("/sbin/mount.nfs",)),
    "apptainer": Known(("/usr/bin/apptainer", "/usr/bin/singularity")),
    "systemd-repart": Known(("/bin/systemd-repart", "/usr/bin/systemd-repart")),
    "curl": Known(("/usr/bin/curl",)),
    "python3": Known(("/usr/bin/python3", "/usr/libexec/platform-python")),
}


def present(root: Path, known: Mapping[str, Known], units: Sequence[Unit]) -> tuple[Service, ...]:
    """Which of the known programs a tree has, in their order; one without units of its own is always enabled."""
    starting = {unit.name for unit in units if unit.starts}
    return tuple(
        Service(name=name, enabled=not each.units or not starting.isdisjoint(each.units))
        for name, each in known.items()
        if any(_is_there(root, file) for file in each.files)
    )


def _is_there(root: Path, path: str) -> bool:
    place = inside.follow(root, path)
    return place is not None and inside.is_regular(place)
