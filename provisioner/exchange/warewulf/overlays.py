"""Overlays: which of ours does what an overlay of Warewulf does, and what to do about the others."""

from __future__ import annotations

from provisioner.exchange.warewulf.entry import NODE, Entry, Said, misfit
from provisioner.exchange.warewulf.ledger import Ledger
from provisioner.model.name import REMOVES
from provisioner.registry.resolve import DEFAULTS

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
}
_ADVICE = {
    "wwinit": ("stage 1 takes its place", ""),
    "generic": ("the overlays hosts and ssh take its place", "users and groups: an overlay of your own"),
    "issue": ("no overlay here writes /etc/issue", "write overlays/issue/rootfs/etc/issue"),
    "fstab": (
        "no overlay here writes /etc/fstab",
        "its mounts are in `resources.fstab` if they were there: use them in an overlay",
    ),
    "localtime": (
        "no overlay here sets the time zone",
        "link /etc/localtime in an overlay of your own, or in the image",
    ),
    "chrony": ("no overlay here configures chrony", "write etc/chrony.conf in an overlay of your own"),
    "syncuser": (
        "users of the server are not copied to nodes",
        "use LDAP or SSSD, or an overlay with passwd and group",
    ),
    "host": ("the files of the server itself", "prov export hosts; the daemon serves DHCP, TFTP and DNS"),
    "mig": ("no overlay here partitions GPUs", "copy it: the tag gpuMigProfiles was carried"),
    "debug": ("it prints all variables", "prov node show NODE --format yaml"),
    **dict.fromkeys(
        ("ignition", "sfdisk", "mkfs", "mkswap", "systemd.mount", "systemd.swap"),
        (
            "disks are not set up by an overlay here",
            "`disks` and `filesystems` were carried: docs/configuration.md",
        ),
    ),
}
_OURS = frozenset(DEFAULTS["overlays", "system"].value)


def site_overlays(ledger: Ledger, entry: Entry, kind: str, said: Said) -> Said:
    """The overlays of a list that have to be written: those of the site. The rest is carried or remarked."""
    kept = []
    for item, place in zip(said.value, said.places, strict=True):
        name = item.removeprefix(REMOVES)
        if name in STANDS_FOR and name == item:
            ledger.carry(place)
        elif name in STANDS_FOR:
            verb = "node" if entry.kind == NODE else "group"
            advice = f"prov {verb} set {entry.name} overlays.system+=~{STANDS_FOR[name]}"
            ledger.remark(place, f"the overlay {STANDS_FOR[name]} stays, which does more than {name} did", advice)
        elif name in _ADVICE:
            reason, advice = _ADVICE[name]
            ledger.remark(place, f"the overlay {name} is not carried: {reason}", advice)
        elif name in _OURS:
            ledger.remark(place, f"{name} is the name of another overlay here", "rename the overlay of the site")
        elif _misfit(kind, item):
            ledger.remark(place, _misfit(kind, item), "rename the overlay")
        else:
            ledger.carry(place)
            advice = f"copy its files to overlays/{name}/rootfs and write its templates (*.ww) as Jinja (*.j2)"
            ledger.remark(place, f"the overlay {name} has to be brought along", advice)
            kept.append((item, place))
    items, places = zip(*kept, strict=True) if kept else ((), ())
    return Said(tuple(items), tuple(places), said.replaces)


def _misfit(kind: str, item: str) -> str:
    return misfit(("overlays", kind), (item,))
