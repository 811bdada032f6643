"""What a node has to know to trust the SSH host keys of all nodes of its cluster."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

from provisioner.model.hostnames import all_names
from provisioner.model.resolved import ResolvedNode
from provisioner.model.snapshot import Snapshot


class KnownHost(NamedTuple):
    """One host key: the names and addresses that it is good for, comma between, and the key."""

    names: str
    key: str


class HostTrust:
    """The authority that signs host keys, which names it may speak for, and the keys themselves.

    Those with one `stamp` are equal. It leads to no snapshot, so it may be kept longer than one.
    """

    def __init__(self, snapshot: Snapshot, authority: str, key_of: Callable[[str], str], stamp: object) -> None:
        self.authority = authority
        self.stamp = (stamp, authority)
        self._snapshot = snapshot
        self._key_of = key_of

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HostTrust) and self.stamp == other.stamp

    def __hash__(self) -> int:
        return hash(self.stamp)

    @cached_property
    def patterns(self) -> str:
        """Patterns of known_hosts (sshd(8)) for every name and address of a node, and for little else.

        Digits become `?`, so that ten thousand nodes make a handful of patterns.
        """
        shapes = {shape for node in self._snapshot.nodes.values() for shape in _shapes(node)}
        return ",".join(sorted(shapes))

    @cached_property
    def keys(self) -> list[KnownHost]:
        """The host key of every node, sorted by node."""
        nodes = (self._snapshot.nodes[name] for name in sorted(self._snapshot.nodes))
        return [KnownHost(",".join(all_names(node)), self._key_of(node.name)) for node in nodes]


def _shapes(node: ResolvedNode) -> Iterator[str]:
    for name in all_names(node):
        # The last part of an address tells nodes of one network apart.
        network, mark, _ = name.rpartition(":") if ":" in name else name.rpartition(".")
        is_address = ":" in name or name.replace(".", "").isdigit()
        yield f"{network}{mark}*" if is_address else re.sub(r"[0-9]", "?", name).lower()
