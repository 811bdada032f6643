"""Which packet filter is active on this machine, and what it lets through."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from provisioner.errors import ProvisionerError
from provisioner.host.run import run
from provisioner.operations.setup.firewall import NFT_FILE, SERVICE_FILE, Firewall, Firewalld, Nft, Ufw
from provisioner.operations.setup.place import Place

_PACKAGED = Path("/usr/lib/firewalld/services") / SERVICE_FILE.name
_LOADED = (Path("/etc/nftables.conf"), Path("/etc/sysconfig/nftables.conf"))
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_SECONDS = 60


def firewall(place: Place) -> Firewall | None:
    """The filter in front of a place; None where there is none, or none that this program knows."""
    return _firewalld(place) or _ufw() or _nft()


def _firewalld(place: Place) -> Firewalld | None:
    if _said("firewall-cmd", "--state") is None:
        return None
    zone = (_said("firewall-cmd", f"--get-zone-of-interface={place.device}") or "").strip()
    zone = zone or (_said("firewall-cmd", "--get-default-zone") or "public").strip()
    now = _said("firewall-cmd", f"--zone={zone}", "--list-services") or ""
    later = _said("firewall-cmd", "--permanent", f"--zone={zone}", "--list-services") or ""
    known = next((each.read_bytes() for each in (SERVICE_FILE, _PACKAGED) if each.exists()), None)
    return Firewalld(zone, frozenset(now.split()) & frozenset(later.split()), known)


def _ufw() -> Ufw | None:
    if "Status: active" not in (_said("ufw", "status") or ""):
        return None
    return Ufw(_said("ufw", "show", "added") or "", _passing())


def _nft() -> Nft | None:
    ruleset = _said("nft", "--json", "list", "ruleset")
    if ruleset is None:
        return None
    loaded_from = next((each for each in _LOADED if each.exists()), None)
    included = loaded_from is not None and str(NFT_FILE) in loaded_from.read_text(errors="replace")
    return Nft(json.dumps(json.loads(ruleset or "{}")), _passing(), loaded_from, included)


def _passing() -> tuple[int, int]:
    """The ports that sockets get when they ask for any, which transfers of TFTP do (ip-sysctl of the kernel)."""
    first, last = _RANGE.read_text().split()
    return int(first), int(last)


def _said(*words: str) -> str | None:
    with suppress(ProvisionerError):
        return run(words, timeout=_SECONDS)
    return None
