"""Real DHCP servers on our exports: how each checks a configuration, and how it runs in the foreground."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.unpacked import environment, program


@dataclass(frozen=True)
class Program:
    """The two commands of a DHCP server."""

    check: Sequence[str | Path]
    serve: Sequence[str | Path]


def _dnsmasq(folder: Path, config: Path, device: str) -> Program:
    leases = f"--dhcp-leasefile={folder / 'leases'}"
    own = ["--keep-in-foreground", "--port=0", f"--interface={device}", "--bind-interfaces"]
    alone = ["--user=root", "--pid-file"]
    return Program(["dnsmasq", "--test", "-C", config], ["dnsmasq", "-C", config, leases, *own, *alone])


def _kea(folder: Path, config: Path, device: str) -> Program:
    # The site's own words around ours: where it listens, and where it keeps leases.
    text = config.read_text().replace('"*"', f'"{device}"').replace('"memfile"', '"memfile", "persist": false')
    (folder / "here.json").write_text(text)
    libraries = environment()["LD_LIBRARY_PATH"]
    setting = ["env", f"LD_LIBRARY_PATH={libraries}", f"KEA_PIDFILE_DIR={folder}", "KEA_LOCKFILE_DIR=none"]
    kea: list[str | Path] = [*setting, program("usr/sbin/kea-dhcp4")]
    return Program([*kea, "-t", config], [*kea, "-c", folder / "here.json"])


def _isc(folder: Path, config: Path, device: str) -> Program:
    (folder / "leases").touch()
    own: list[str | Path] = ["-lf", folder / "leases", "-pf", folder / "pid"]
    dhcpd = program("usr/sbin/dhcpd")
    return Program([dhcpd, "-t", "-cf", config, *own], [dhcpd, "-f", "-q", "-cf", config, *own, device])


PROGRAMS: dict[str, Callable[[Path, Path, str], Program]] = {"dnsmasq": _dnsmasq, "kea": _kea, "isc": _isc}
"""By the name of the export: from a scratch folder, the exported file and the device to listen on."""
