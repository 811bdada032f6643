"""A node that has something to say to every shipped overlay, and one that has nothing to say to most."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from provisioner.archive.tree import Entry
from provisioner.config.paths import Paths
from provisioner.model.device import BmcDriver
from provisioner.model.disk import Disk, FileSystem, Partition, Size
from provisioner.model.resolved import ResolvedBmc, ResolvedNode
from provisioner.model.secret import Secret
from provisioner.model.snapshot import Snapshot
from provisioner.overlay.context import Identity, Surroundings
from provisioner.overlay.rendered import render_tree
from provisioner.overlay.source import WrittenFiles
from provisioner.registry.collect import collect
from provisioner.render.environment import Renderer
from provisioner.trust.sitekey import SiteKey
from tests.support import overlays, resolved

# All that ship, but for the network and the agent, which have tests of their own.
BASICS = (
    *("apptainer", "chrony", "debug", "disks", "fstab", "genders", "hostname", "hosts", "ignition", "issue"),
    *("known-hosts", "localtime", "mig", "mounts", "munge", "nfs", "resolv", "slurm", "ssh", "users"),
)
KEY = SiteKey(b"k" * 32)

TAGS = {
    "rack": "r1",
    "room": "machine room 1",
    "timezone": "Europe/Berlin",
    "ntp": "10.0.0.1 ntp.example.org",
    "motd": "Maintenance on Monday",
    "issue": r"50 \n %u $HOME",
    "slurm": "10.0.0.1:6817 backup",
}
DISKS = {
    "/dev/sda": Disk(
        partitions={
            "swap": Partition(number=1, size=Size("64MiB"), type="swap"),
            "scratch": Partition(number=2, size=Size("128MiB"), type="linux"),
            "old": Partition(create=False),
            "rest": Partition(number=4),
        }
    ),
    "/dev/sdb": Disk(wipe=True, partitions={"data": Partition(guid=UUID(int=7), start=Size("1MiB"))}),
}
FILESYSTEMS = {
    "/dev/disk/by-partlabel/swap": FileSystem(format="swap"),
    "/dev/disk/by-partlabel/scratch": FileSystem(
        format="ext4",
        path="/srv/scratch-1",
        label="scratch",
        uuid=UUID(int=9),
        options=("-m", "0"),
        mount_options=("noatime", "nodev"),
    ),
    "/dev/disk/by-partlabel/data": FileSystem(format="xfs", path="/srv/data", wipe=True),
}
RESOURCES: dict[str, Any] = {
    "users": {
        "alice": {
            "uid": 1001,
            "comment": "Alice A.",
            "groups": ["hpc"],
            "keys": ["ssh-ed25519 AAAA alice", 'x="%h" B'],
        },
        "bob": {"uid": 1002, "gid": 2000, "home": "/srv/home/bob", "shell": "/bin/sh", "make_home": False},
    },
    "groups": {"hpc": {"gid": 2000, "members": ["bob"]}},
    "sudo": [
        {
            "who": "%hpc",
            "commands": ["/usr/bin/systemctl restart slurmd", "/bin/mount -o ro,a=b:c"],
            "password": False,
        },
        {"who": "alice"},
    ],
    "fstab": [{"device": "tmpfs", "path": "/var/tmp", "format": "tmpfs", "options": ["size=1G", "nosuid"]}],
    "nfs": [
        {"source": "10.0.0.1:/home", "path": "/home", "options": ["hard"], "version": "4.2"},
        {"source": "nas.example.org:/apps", "path": "/opt/apps", "automount": True},
    ],
    "mig": [{"devices": [0, 1], "profiles": {"1g.5gb": 7}}, {"devices": [2], "enabled": False}],
    "apptainer": {
        "bind": ["/scratch", "/srv/data:/data"],
        "settings": {"mount home": True, "max loop devices": 64},
    },
}


def rich(**changes: object) -> ResolvedNode:
    """A node with disks, users, exports, GPUs and all tags that mean something."""
    base = overlays.snapshot().nodes["n001"]
    bmc = ResolvedBmc(driver=BmcDriver.IPMI, username="admin", password=Secret("calvin-and-hobbes"))
    device = base.interfaces[0].model_copy(update={"search": ("hpc.example.org",)})
    given = {
        "tags": TAGS,
        "resources": RESOURCES,
        "disks": DISKS,
        "filesystems": FILESYSTEMS,
        "bmc": bmc,
        "interfaces": (device, *base.interfaces[1:]),
    }
    return base.model_copy(update={**given, **changes})


def snapshot(node: ResolvedNode) -> Snapshot:
    """The usual site with this node in place of n001."""
    base = overlays.snapshot()
    return Snapshot.build(resolved.REVISION, base.site, ({**base.nodes, "n001": node}).values())


def render(folder: Path, *names: str, node: ResolvedNode) -> dict[str, Entry]:
    """The files of some shipped overlays for a node, by path; the folder is that of a site without any."""
    context = Surroundings(snapshot(node), Identity(KEY)).context(node)
    tree = render_tree(WrittenFiles(collect(Paths.below(folder))), names, context, Renderer())
    return {entry.path: entry for entry in tree}


def unpack(entries: dict[str, Entry], folder: Path) -> Path:
    """The files written below a folder, with their modes."""
    from provisioner.overlay.folder import write_tree

    write_tree(entries.values(), folder)
    return folder
