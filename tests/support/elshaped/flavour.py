"""The two distributions that packages are made in the shape of, and what is planted to tell them apart."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.support.elshaped.names import Version, versions

# From the release package: which units start by themselves.
_PRESETS = ["sshd", "getty@", "NetworkManager", "NetworkManager-wait-online", "chronyd", "network", "ntpd"]
_USERS = """\
root:x:0:0:root:/root:/bin/bash
bin:x:1:1:bin:/bin:/sbin/nologin
daemon:x:2:2:daemon:/sbin:/sbin/nologin
adm:x:3:4:adm:/var/adm:/sbin/nologin
lp:x:4:7:lp:/var/spool/lpd:/sbin/nologin
sync:x:5:0:sync:/sbin:/bin/sync
shutdown:x:6:0:shutdown:/sbin:/sbin/shutdown
halt:x:7:0:halt:/sbin:/sbin/halt
mail:x:8:12:mail:/var/spool/mail:/sbin/nologin
operator:x:11:0:operator:/root:/sbin/nologin
games:x:12:100:games:/usr/games:/sbin/nologin
ftp:x:14:50:FTP User:/var/ftp:/sbin/nologin
"""
_GROUPS = (
    "root:0 bin:1 daemon:2 sys:3 adm:4 tty:5 disk:6 lp:7 mem:8 kmem:9 wheel:10 cdrom:11 mail:12 man:15 dialout:18 "
    "floppy:19 games:20 utmp:22 tape:33 utempter:35 kvm:36 video:39 ftp:50 lock:54 audio:63 users:100 input:104 "
    "sgx:105 render:106"
)


@dataclass(frozen=True, eq=False)
class Flavour:
    """A distribution: `dist` is the suffix of its packages, `kernel` the end of a Debian kernel's release.

    `sysusers` has lines of sysusers.d by package; `lacks` are packages that only the other one has.
    """

    name: str
    dist: str
    release: str
    release_package: str
    release_line: str
    os_release: str
    cpe: str
    nobody: int
    kernel: str
    sysusers: dict[str, str]
    lacks: frozenset[str] = frozenset()
    known: dict[str, Version] = field(default_factory=dict)

    @property
    def major(self) -> int:
        """7 or 9."""
        return int(self.dist.removeprefix("el"))

    def version(self, package: str) -> Version:
        """Version and release of a package: its own, or that of the one it belongs to (systemd-udev: systemd)."""
        family = package.partition("-")[0]
        return self.known.get(package) or self.known.get(family) or ("1.0", f"1.{self.dist}")

    def passwd(self) -> str:
        """The users that every installation starts with."""
        return f"{_USERS}nobody:x:{self.nobody}:{self.nobody}:Nobody:/:/sbin/nologin\n"

    def group(self) -> str:
        """The groups that every installation starts with."""
        pairs = [*(each.split(":") for each in _GROUPS.split()), ("nobody", str(self.nobody))]
        return "".join(f"{name}:x:{number}:\n" for name, number in pairs)

    def presets(self) -> str:
        """A preset file that enables the units of this distribution."""
        return "".join(f"enable {unit}.service\n" for unit in _PRESETS)


def _sysusers(*, munge: int, slurm: int, chrony: int, polkit: int) -> dict[str, str]:
    return {
        "setup": "g systemd-journal 190\nu systemd-network 192\nu messagebus 81\n",
        "openssh-server": 'u sshd 74 "Privilege-separated SSH" /usr/share/empty.sshd\n',
        "munge": f'u munge {munge} "Runs Uid n Gid Emporium" /run/munge\n',
        "slurm": f'u slurm {slurm} "Slurm" /var/lib/slurm\n',
        "chrony": f"u _chrony {chrony} - /var/lib/chrony\n",
        "polkit": f"u polkitd {polkit}\n",
    }


ROCKY_9 = Flavour(
    name="rocky-9",
    dist="el9",
    release="9",
    release_package="rocky-release",
    release_line="Rocky Linux release 9.6 (Blue Onyx)",
    os_release="""\
NAME="Rocky Linux"
VERSION="9.6 (Blue Onyx)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.6"
PLATFORM_ID="platform:el9"
PRETTY_NAME="Rocky Linux 9.6 (Blue Onyx)"
CPE_NAME="cpe:/o:rocky:rocky:9::baseos"
""",
    cpe="cpe:/o:rocky:rocky:9::baseos",
    nobody=65534,
    kernel="cloud-amd64",
    sysusers=_sysusers(munge=990, slurm=64030, chrony=992, polkit=998),
    lacks=frozenset({"ntp", "initscripts", "libdb-utils"}),
    known=versions("el9"),
)
CENTOS_7 = Flavour(
    name="centos-7",
    dist="el7",
    release="7",
    release_package="centos-release",
    release_line="CentOS Linux release 7.9.2009 (Core)",
    os_release="""\
NAME="CentOS Linux"
VERSION="7 (Core)"
ID="centos"
ID_LIKE="rhel fedora"
VERSION_ID="7"
PRETTY_NAME="CentOS Linux 7 (Core)"
CPE_NAME="cpe:/o:centos:centos:7"
""",
    cpe="cpe:/o:centos:linux:7:ga:server",
    nobody=99,
    kernel="amd64",
    sysusers=_sysusers(munge=998, slurm=450, chrony=996, polkit=999),
    lacks=frozenset({"crypto-policies", "tuned-profiles-el9"}),
    known=versions("el7"),
)
