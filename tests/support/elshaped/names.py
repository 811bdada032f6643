"""What Debian's packages and folders are called in Enterprise Linux, and which versions they have there."""

from __future__ import annotations

import re
from pathlib import Path

_FILES = Path(__file__).parent / "files"

# Debian's packages by the name that they get; a package that is nowhere here keeps its own.
_NAMES = """
glibc: libc6
glibc-common: libc-bin
libgcc: libgcc-s1
libstdc++: libstdc++6
coreutils: coreutils
util-linux: util-linux util-linux-extra mount bsdutils
shadow-utils: login passwd
systemd: systemd systemd-sysv
systemd-libs: libsystemd0 libsystemd-shared libudev1 libnss-myhostname
systemd-udev: udev
systemd-pam: libpam-systemd
dbus-daemon: dbus-daemon dbus-bin
dbus-common: dbus-system-bus-common dbus-session-bus-common
openssh: openssh-sftp-server
openssh-clients: openssh-client
NetworkManager: network-manager
NetworkManager-libnm: libnm0
iproute: iproute2
iputils: iputils-ping
kmod-libs: libkmod2
pam: libpam-modules libpam-modules-bin libpam-runtime libpam0g
audit-libs: libaudit1 libaudit-common
openssl-libs: libssl3
libxcrypt: libcrypt1
libselinux: libselinux1
libsepol: libsepol2
libsemanage: libsemanage2 libsemanage-common
zlib: zlib1g
libzstd: libzstd1
lz4-libs: liblz4-1
xz-libs: liblzma5
xz: xz-utils
libacl: libacl1
libattr: libattr1
libblkid: libblkid1
libmount: libmount1
libuuid: libuuid1
libfdisk: libfdisk1
libsmartcols: libsmartcols1
pcre2: libpcre2-8-0
libcap: libcap2 libcap2-bin
libcap-ng: libcap-ng0
ncurses-libs: libtinfo6 libncursesw6
ncurses: ncurses-bin
glib2: libglib2.0-0
procps-ng: procps libproc2-0
gawk: mawk
rpm: rpm rpm-common
rpm-libs: librpm9 librpmio9
rpm-build-libs: librpmbuild9
rpm-sign-libs: librpmsign9
libdnf: libdnf2 libdnf2-common
libcurl: libcurl4 libcurl3-gnutls
python3: python3.11-minimal python3.11 python3 python3-minimal python3-distutils libpython3-stdlib
python3-libs: libpython3.11-minimal libpython3.11-stdlib libpython3.11
gnutls: libgnutls30
libgcrypt: libgcrypt20
libgpg-error: libgpg-error0
openldap: libldap-2.5-0
sqlite-libs: libsqlite3-0
expat: libexpat1
libffi: libffi8
gmp: libgmp10
readline: libreadline8 readline-common
polkit: polkitd
polkit-libs: libpolkit-agent-1-0 libpolkit-gobject-1-0
libdb: libdb5.3
libdb-utils: db5.3-util
elfutils-libelf: libelf1
elfutils-libs: libdw1
libtirpc: libtirpc3 libtirpc-common
keyutils-libs: libkeyutils1
krb5-libs: libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0
gnupg2: gnupg gpg gpg-agent gpgconf gpgsm gpgv gpg-wks-client gnupg-utils dirmngr
dash: dash
"""
# What only Debian needs to be Debian.
_DROPPED = {
    "adduser",
    "apt",
    "base-files",
    "base-passwd",
    "debconf",
    "debian-archive-keyring",
    "debianutils",
    "debugedit",
    "dpkg",
    "gcc-12-base",
    "gnupg-l10n",
    "gpg-wks-server",
    "init-system-helpers",
    "libapt-pkg6.0",
    "libdebconfclient0",
    "libfile-find-rule-perl",
    "libnumber-compare-perl",
    "libperl5.36",
    "libtext-glob-perl",
    "linux-base",
    "linux-image-amd64",
    "linux-image-cloud-amd64",
    "media-types",
    "perl",
    "perl-base",
    "perl-modules-5.36",
    "pinentry-curses",
    "python3-lib2to3",
    "runit-helper",
    "sensible-utils",
    "sgml-base",
    "sysvinit-utils",
    "tiny-initramfs",
    "tiny-initramfs-core",
    "ucf",
    "usrmerge",
    "xml-core",
}
_DROPPED_PATHS = re.compile(
    r"/usr/share/(doc|doc-base|man|info|locale|lintian|bug|bash-completion|initramfs-tools|apport|zsh|icu)(/|$)"
    r"|/etc/(init\.d|rc.\.d|apt|default/grub|dpkg|debian_version|update-motd\.d|initramfs-tools|dhcp|network)(/|$)"
    r"|/var/(lib/(dpkg|apt|pam|ucf|systemd/deb|shim-signed)|cache/(apt|debconf)|log/apt)"
    r"|/usr/lib/sysusers\.d/(debian|basic)\.conf|(/usr)?/lib/systemd/system-preset/"
    r"|(/usr)?/lib/systemd/system/(chrony\.|ssh\.|ssh@|rescue-ssh|system-systemd-cryptsetup)"
    r"|(/usr)?/lib/init(/|$)|/usr/lib/dracut|/(usr/)?lib/modules|/boot/"
)
# What is remembered of CentOS 7.9: enough for a difference to show in every place that matters.
_CENTOS_7 = {
    "bash": ("4.2.46", "35.el7_9"),
    "centos-release": ("7", "9.2009.1.el7.centos"),
    "coreutils": ("8.22", "24.el7_9.2"),
    "curl": ("7.29.0", "59.el7_9.2"),
    "glibc": ("2.17", "326.el7_9"),
    "initscripts": ("9.49.53", "1.el7_9.1"),
    "iproute": ("4.11.0", "30.el7"),
    "munge": ("0.5.11", "3.el7"),
    "ntp": ("4.2.6p5", "29.el7.centos.2"),
    "openssh-server": ("7.4p1", "23.el7_9"),
    "openssl-libs": ("1.0.2k", "26.el7_9"),
    "rpm": ("4.11.3", "48.el7_9"),
    "setup": ("2.8.71", "11.el7"),
    "slurm": ("20.11.9", "1.el7"),
    "systemd": ("219", "78.el7_9.9"),
    "util-linux": ("2.23.2", "65.el7_9.1"),
}
_ROCKY_9 = {
    "iproute": ("6.11.0", "1.el9"),
    "munge": ("0.5.13", "13.el9"),
    "openssh-server": ("8.7p1", "45.el9"),
    "slurm": ("22.05.9", "1.el9"),
    "systemd": ("252", "51.el9"),
}

Version = tuple[str, str]


def name_of(debian: str) -> str | None:
    """What a package of Debian is called; None for one that has no place."""
    if debian in _DROPPED or debian.startswith("linux-image-"):
        return None
    return _TABLE.get(debian, debian)


def place_of(path: str) -> str | None:
    """Where a path of Debian goes: /usr is merged and libraries lie in lib64; None for one that has no place."""
    if _DROPPED_PATHS.match(path) or path in ("/bin", "/sbin", "/lib", "/lib64"):
        return None
    if re.match(r"/(bin|sbin|lib|lib64)/", path):
        path = "/usr" + path
    return re.sub(r"^/usr/lib/x86_64-linux-gnu(?=/|$)", "/usr/lib64", path)


def versions(dist: str) -> dict[str, Version]:
    """Version and release of the packages that are known of a distribution, `el9` or `el7`."""
    if dist == "el7":
        return _CENTOS_7
    lines = (_FILES / "rocky-9.6.txt").read_text().splitlines()
    rows = [line.split("|") for line in lines if not line.startswith("#")]
    return {**{name: (version, release) for name, version, release in rows}, **_ROCKY_9}


_TABLE = {
    debian: name
    for name, _, found in (line.partition(":") for line in _NAMES.strip().splitlines())
    for debian in found.split()
}
