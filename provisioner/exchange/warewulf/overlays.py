"""Overlays: which of ours does what an overlay of Warewulf does, and what to do about the others."""

from __future__ import annotations

from collections.abc import Collection

from provisioner.exchange.remark import Place
from provisioner.exchange.warewulf.entry import NODE, Entry, Said, misfit
from provisioner.exchange.warewulf.ledger import Ledger
from provisioner.model.name import REMOVES

# Every node has these here, so they need not be written.
STANDS_FOR = {
    "hostname": "hostname",
    "hosts": "hosts",
    "resolv": "network",
    "NetworkManager": "network",
    "ifcfg": "network",
    "ifupdown": "network",
    "debian.interfaces": "network",
    "netplan": "network",
    "wicked": "network",
    "systemd.networkd": "network",
    "udev.netname": "network",
    "systemd.netname": "network",
    "ssh.authorized_keys": "ssh",
    "ssh.host_keys": "ssh",
    "ssh_host_keys": "ssh",
    "wwclient": "agent",
    "wwclient.x86_64": "agent",
    "wwclient.aarch64": "agent",
}
# These do the same, from the fields that are carried, and are written.
BECOMES = {
    "chrony": "chrony",
    "debug": "debug",
    "fstab": "fstab",
    "ignition": "ignition",
    "issue": "issue",
    "localtime": "localtime",
    "mig": "mig",
    "sfdisk": "disks",
    "mkfs": "disks",
    "mkswap": "disks",
    "systemd.mount": "mounts",
    "systemd.swap": "mounts",
}
# Other overlays that are shipped here; one of the same name elsewhere is another one.
OTHERS = frozenset(
    {"agent", "apptainer", "disks", "genders", "known-hosts", "mounts", "munge", "netname", "network", "networkd"}
    | {"networkmanager", "nfs", "slurm", "ssh", "users"}
)
# One of ours does the work of the other, and both together would do it twice.
_COVERED = {"mounts": "fstab", "ignition": "disks"}
_ADVICE = {
    "wwinit": ("stage 1 takes its place", ""),
    "generic": ("the overlays hosts and ssh take its place", "users and groups: the overlay users"),
    "syncuser": (
        "users of the server are not copied to nodes",
        "use LDAP or SSSD, or the overlay users: prov overlay show users",
    ),
    "host": ("the files of the server itself", "prov export hosts; the daemon serves DHCP, TFTP and DNS"),
}


def site_overlays(ledger: Ledger, entry: Entry, kind: str, said: Said, known: Collection[str]) -> Said:
    """The overlays of a list that are written, by the names that they have here; the rest is carried or remarked.

    `known` are the overlays that the site has of its own. No other one is written: the site would not pass its
    checks.
    """
    kept: dict[str, Place] = {}
    ours = {BECOMES.get(item, "") for item in said.value}
    for item, place in zip(said.value, said.places, strict=True):
        mark, name = item[: item.startswith(REMOVES)], item.removeprefix(REMOVES)
        if name in STANDS_FOR or (mark and list(BECOMES.values()).count(BECOMES.get(name, "")) > 1):
            _stand_for(ledger, entry, item, place)
        elif name in known and not _misfit(kind, item):
            ledger.carry(place)
            kept.setdefault(item, place)
        elif name in BECOMES:
            ledger.carry(place)
            if _COVERED.get(BECOMES[name]) not in ours:
                kept.setdefault(mark + BECOMES[name], place)
        else:
            _leave_out(ledger, entry, (kind, item), place)
    return Said(tuple(kept), tuple(kept.values()), said.replaces)


def _stand_for(ledger: Ledger, entry: Entry, item: str, place: Place) -> None:
    """An overlay whose work one of ours does for every node, or does together with the work of others."""
    name = item.removeprefix(REMOVES)
    if name == item:
        ledger.carry(place)
        return
    ours = STANDS_FOR.get(name) or BECOMES[name]
    advice = f"prov {_verb(entry)} set {entry.name} overlays.system+=~{ours}"
    ledger.remark(place, f"the overlay {ours} stays, which does more than {name} did", advice)


def _leave_out(ledger: Ledger, entry: Entry, at: tuple[str, str], place: Place) -> None:
    kind, item = at
    name = item.removeprefix(REMOVES)
    reason, advice = _ADVICE.get(name, ("", ""))
    use = f"prov {_verb(entry)} set {entry.name} overlays.{kind}+={item}"
    if reason:
        ledger.remark(place, f"the overlay {name} is not carried: {reason}", advice)
    elif name in OTHERS:
        reason = f"the overlay {name} is not carried: {name} is the name of another overlay here"
        ledger.remark(place, reason, f"prov overlay show {name}; if it does the same: {use}")
    elif misfit := _misfit(kind, item):
        ledger.remark(place, misfit, "rename the overlay")
    else:
        files = f"copy its files to overlays/{name}/rootfs, write its templates (*.ww) as Jinja (*.j2)"
        ledger.remark(
            place, f"the overlay {name} has to be brought along, so it is left out", f"{files}, then: {use}"
        )


def _verb(entry: Entry) -> str:
    return "node" if entry.kind == NODE else "group"


def _misfit(kind: str, item: str) -> str:
    return misfit(("overlays", kind), (item,))
