"""Which field of Warewulf means which of ours, in all spellings from 4.5 to 4.7.

The keys are those of nodes.conf; `*` stands for any key and takes the place of the next `*` on the right. Where
several spellings mean the same, the first one here wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

Target = tuple[str, ...]


class Kind(Enum):
    """How a value is written: one text, words with commas or spaces between them, or anything."""

    TEXT = "text"
    BOOLEAN = "boolean"
    NUMBER = "number"
    MEBIBYTES = "mebibytes"
    KERNEL = "kernel"
    LOWER = "lower"
    NAMES = "names"
    WORDS = "words"
    ITEMS = "items"
    OPTIONS = "options"
    TREE = "tree"


LISTS = frozenset({Kind.NAMES, Kind.WORDS, Kind.ITEMS, Kind.OPTIONS})


@dataclass(frozen=True)
class Rule:
    """One field: where it goes, how it is written, and whether only nodes have it."""

    target: Target
    kind: Kind = Kind.TEXT
    node_only: bool = False


Trie = Mapping[str, "Rule | Trie"]

# Below `net` stands what is said of a netname, which is no device yet.
NET = "net"

_IPMI: dict[str, tuple[str, Kind]] = {
    "username": ("username", Kind.TEXT),
    "password": ("password", Kind.TEXT),
    "ipaddr": ("ip", Kind.TEXT),
    "netmask": ("netmask", Kind.TEXT),
    "gateway": ("gateway", Kind.TEXT),
    "port": ("port", Kind.NUMBER),
    "interface": ("interface", Kind.TEXT),
    "escapechar": ("escape", Kind.TEXT),
    "write": ("write", Kind.BOOLEAN),
    "template": ("template", Kind.TEXT),
}
_DEVICE: Trie = {
    "type": Rule((NET, "*", "type"), Kind.LOWER),
    "onboot": Rule((NET, "*", "onboot"), Kind.BOOLEAN),
    "device": Rule((NET, "*", "device")),
    "hwaddr": Rule((NET, "*", "mac")),
    "ipaddr": Rule((NET, "*", "ip")),
    "netmask": Rule((NET, "*", "netmask")),
    "ipcidr": Rule((NET, "*", "ipcidr")),
    "gateway": Rule((NET, "*", "gateway")),
    "ipaddr6": Rule((NET, "*", "ip6")),
    "ip6addr": Rule((NET, "*", "ip6")),
    "prefixlen6": Rule((NET, "*", "prefix6"), Kind.NUMBER),
    "gateway6": Rule((NET, "*", "gateway6")),
    "mtu": Rule((NET, "*", "mtu"), Kind.NUMBER),
    "primary": Rule((NET, "*", "primary"), Kind.BOOLEAN),
    "default": Rule((NET, "*", "primary"), Kind.BOOLEAN),
    "tags": {"*": Rule((NET, "*", "tags", "*"))},
}
_PARTITION: Trie = {
    "number": Rule(("disks", "*", "partitions", "*", "number"), Kind.NUMBER),
    "size_mib": Rule(("disks", "*", "partitions", "*", "size"), Kind.MEBIBYTES),
    "start_mib": Rule(("disks", "*", "partitions", "*", "start"), Kind.MEBIBYTES),
    "type_guid": Rule(("disks", "*", "partitions", "*", "type")),
    "guid": Rule(("disks", "*", "partitions", "*", "guid")),
    "wipe_partition_entry": Rule(("disks", "*", "partitions", "*", "wipe"), Kind.BOOLEAN),
    "should_exist": Rule(("disks", "*", "partitions", "*", "create"), Kind.BOOLEAN),
    "resize": Rule(("disks", "*", "partitions", "*", "resize"), Kind.BOOLEAN),
}
_FILE_SYSTEM: Trie = {
    "format": Rule(("filesystems", "*", "format")),
    "path": Rule(("filesystems", "*", "path")),
    "wipe_filesystem": Rule(("filesystems", "*", "wipe"), Kind.BOOLEAN),
    "label": Rule(("filesystems", "*", "label")),
    "uuid": Rule(("filesystems", "*", "uuid")),
    "options": Rule(("filesystems", "*", "options"), Kind.ITEMS),
    "mount_options": Rule(("filesystems", "*", "mount_options"), Kind.OPTIONS),
}
RULES: Trie = {
    "profiles": Rule(("groups",), Kind.NAMES),
    "comment": Rule(("comment",)),
    "cluster name": Rule(("cluster",)),
    "image name": Rule(("image",)),
    "container name": Rule(("image",)),
    "ipxe template": Rule(("ipxe",)),
    "init": Rule(("init",)),
    "root": Rule(("root",)),
    "asset key": Rule(("asset",), node_only=True),
    "discoverable": Rule(("discoverable",), Kind.BOOLEAN, node_only=True),
    "primary network": Rule(("primary",)),
    "system overlay": Rule(("overlays", "system"), Kind.NAMES),
    "runtime overlay": Rule(("overlays", "runtime"), Kind.NAMES),
    "kernel": {
        "args": Rule(("kernel", "args"), Kind.WORDS),
        "override": Rule(("kernel", "version"), Kind.KERNEL),
        "version": Rule(("kernel", "version"), Kind.KERNEL),
    },
    "kernel args": Rule(("kernel", "args"), Kind.WORDS),
    "kernel override": Rule(("kernel", "version"), Kind.KERNEL),
    "kernel version": Rule(("kernel", "version"), Kind.KERNEL),
    "ipmi": {
        **{key: Rule(("bmc", name), kind) for key, (name, kind) in _IPMI.items()},
        "tags": {"vlan": Rule(("bmc", "vlan"), Kind.NUMBER), "*": Rule(("bmc", "tags", "*"))},
    },
    **{f"ipmi {key}": Rule(("bmc", name), kind) for key, (name, kind) in _IPMI.items()},
    "network devices": {"*": _DEVICE},
    "disks": {"*": {"wipe_table": Rule(("disks", "*", "wipe"), Kind.BOOLEAN), "partitions": {"*": _PARTITION}}},
    "filesystems": {"*": _FILE_SYSTEM},
    "tags": {"*": Rule(("tags", "*"))},
    "keys": {"*": Rule(("tags", "*"))},
    "resources": {"*": Rule(("resources", "*"), Kind.TREE)},
}
