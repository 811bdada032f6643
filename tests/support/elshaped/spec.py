"""The one spec file that all packages of a distribution are built from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from tests.support.elshaped.debian import DebianTree
from tests.support.elshaped.names import name_of
from tests.support.elshaped.staging import LINKS, Stage

# Names that the recipes ask for, of packages whose content no test looks at.
STAND_INS = frozenset(
    [
        "basesystem",
        "dmidecode",
        "dracut",
        "hwloc",
        "ipmitool",
        "kernel-devel",
        "kernel-headers",
        "gcc",
        "make",
        "glibc-minimal-langpack",
        "nfs-utils",
        "numactl",
        "pciutils",
        "psmisc",
        "python",
        "rdma-core",
        "rootfiles",
        "strace",
        "sudo",
        "vim-minimal",
        "wget",
        "yum",
        "linux-firmware",
        "elfutils-libelf-devel",
        "kernel-modules-extra",
        "environment-modules",
        "passwd",
    ]
)
_HEAD = """\
%define debug_package %{nil}
%define __os_install_post %{nil}
%define _build_id_links none
%define _unpackaged_files_terminate_build 0
%define _source_payload w0.gzdio
%undefine _missing_build_ids_terminate_build
Name: el-shaped
Version: 1
Release: 1
Summary: packages in the shape of Enterprise Linux
License: those of the programs
AutoReqProv: no

%description
Packages in the shape of Enterprise Linux.

%install
find %{srctree} -mindepth 1 -maxdepth 1 -exec mv -t %{buildroot} {} +
"""
_PROVIDES = {
    "bash": ("/bin/sh", "/bin/bash"),
    "coreutils": ("coreutils-single",),
    "glibc": ("/sbin/ldconfig",),
    "kernel": ("kernel-uname-r",),
}
_REQUIRES = {
    "bash": ("glibc", "filesystem"),
    "filesystem": ("setup",),
    "glibc": ("filesystem", "glibc-common"),
    "kernel": ("kmod", "coreutils", "systemd"),
    "kernel-core": ("kmod", "coreutils", "systemd"),
    "kernel-modules": ("kernel-core",),
    "openssh-server": ("systemd", "openssh-clients", "shadow-utils"),
    "openssl-libs": ("crypto-policies",),
    "systemd": ("dbus", "shadow-utils", "util-linux", "systemd-pam", "kmod", "coreutils"),
    # What writes the database of CentOS 7.
    "rpm": ("libdb-utils",),
    "libdb-utils": ("python3",),
    "initscripts": ("iproute", "grep", "coreutils", "chkconfig"),
}
_UNITS = "/usr/lib/systemd/system/"
_MODES = {"/": "555", "/root": "550", "/tmp": "1777", "/var/tmp": "1777"}


def write(stage: Stage, debian: DebianTree) -> str:
    """The text of the spec file."""
    compression = "w6.gzdio" if stage.flavour.major == 7 else "w3.zstdio"
    files: dict[str, list[str]] = {"filesystem": [], "dnf": [], **{name: [] for name in STAND_INS}}
    for path, package in sorted(stage.owners.items()):
        files.setdefault(package, []).append(path)
    for package in stage.flavour.lacks:
        files.pop(package, None)
    needs = _needs(debian, set(files))
    sections = [_HEAD, f"%define _binary_payload {compression}\n"]
    for package in sorted(files):
        sections += [*_package(stage, package, sorted(needs[package])), *_scripts(stage, package), ""]
        sections += [f"%files -n {package}", *_files(stage, package, files[package]), ""]
    return "\n".join(sections)


def _needs(debian: DebianTree, there: set[str]) -> dict[str, set[str]]:
    """What each package requires: what Debian's did, under the names of here."""
    needs: dict[str, set[str]] = defaultdict(set)
    for package, wanted in debian.needs():
        pair = name_of(package), name_of(wanted)
        if pair[0] and pair[1] and pair[0] != pair[1] and pair[1] in there:
            needs[pair[0]].add(pair[1])
    for package, found in _REQUIRES.items():
        needs[package] |= set(found) & there
    return needs


def _package(stage: Stage, package: str, needs: list[str]) -> Iterator[str]:
    version, release = stage.flavour.version(package)
    if package.startswith("kernel"):
        version, _, release = stage.kernel_release().partition("-")
        release = f"{release.partition('-')[0]}.{stage.flavour.dist}"
    yield f"%package -n {package}\nVersion: {version}\nRelease: {release}\nSummary: {package}\nAutoReqProv: no"
    yield from (f"Requires: {each}" for each in needs)
    yield from (f"Provides: {each}" for each in _PROVIDES.get(package, ()))
    if package == stage.flavour.release_package:
        yield f"Provides: system-release = {stage.flavour.release}"
        yield f"Provides: system-release(releasever) = {stage.flavour.release}"
    yield f"%description -n {package}\n{package}\n"


def _scripts(stage: Stage, package: str) -> Iterator[str]:
    """What runs when a package is installed: after the whole transaction, when all libraries are there."""
    paths = [path for path, owner in stage.owners.items() if owner == package and path.startswith(_UNITS)]
    units = [path.removeprefix(_UNITS) for path in paths if path.endswith((".service", ".socket", ".timer"))]
    units = [name for name in units if "/" not in name]
    lines = []
    if package in stage.flavour.sysusers:
        lines.append(f"systemd-sysusers 00-{package}.conf || :")
    if package == "glibc":
        lines.append("/sbin/ldconfig")
    if package.startswith("kernel") and package in stage.owners.values():
        lines.append(f"depmod -a {stage.kernel_release()}")
    if package == "systemd":
        lines += ["systemd-sysusers", "systemctl --no-reload preset-all || :"]
        lines += ["ln -sf /usr/lib/systemd/system/multi-user.target /etc/systemd/system/default.target"]
    if package == "chrony":
        lines.append("chown _chrony:_chrony /var/lib/chrony /var/log/chrony")
    if units and package != "systemd":
        lines.append(f"systemctl --no-reload preset {' '.join(units)} || :")
    if lines:
        yield "\n".join([f"%posttrans -n {package}", *lines])


def _files(stage: Stage, package: str, paths: list[str]) -> Iterator[str]:
    if package == "filesystem":
        for folder in stage.folders():
            yield f'%dir %attr({_MODES.get(folder, "755")},root,root) "{folder}"'
        yield from (f"/{link}" for link in LINKS)
    for path in paths:
        text = path.replace("%", "%%")
        config = path.startswith("/etc/") and not stage.place(path).is_symlink()
        yield f'%config(noreplace) "{text}"' if config else f'"{text}"'
