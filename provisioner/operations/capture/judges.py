"""What the policies of the site say about what a machine asks, told without a daemon."""

from __future__ import annotations

import time
from collections.abc import Mapping
from ipaddress import IPv4Address

from provisioner.boot.policy import decide
from provisioner.dhcp.case import Context
from provisioner.dhcp.lease import Leases
from provisioner.dhcp.message import Message
from provisioner.dhcp.policy import answer
from provisioner.model.address import MacAddress
from provisioner.model.boot import Machine
from provisioner.model.catalogue import Catalogue
from provisioner.model.snapshot import Snapshot
from provisioner.operations.capture.words import Judges
from provisioner.tftp.table import shelf_of

_RENDERED = frozenset({"autoexec.ipxe"})


def judges_of(
    snapshot: Snapshot, catalogue: Catalogue, server: IPv4Address, loaders: Mapping[str, bytes]
) -> Judges:
    """The judges of a site as it is served, for the network in which the head node has the address `server`.

    Leases of pools are those of a daemon, so of a machine that is no node the policy knows less than the daemon.
    """

    def dhcp(message: Message) -> str:
        http_port, shelf = snapshot.site.ports.http, shelf_of(loaders)
        context = Context(snapshot, catalogue, server, http_port, Leases(), time.time(), shelf=shelf)
        decided = answer(message, context)
        return f"{decided.name}: {decided.reason}"

    def tftp(name: str) -> str:
        plain = name.removeprefix("/")
        if plain in _RENDERED:
            return "served: the way to the boot script"
        content = loaders.get(plain)
        return f"served: {len(content)} bytes" if content is not None else "refused: no file has this name"

    def http(path: str) -> str:
        _, _, mac = path.partition("/boot/")
        try:
            return decide(snapshot, catalogue, Machine(MacAddress(mac.partition("?")[0]), runs_ipxe=True)).reason
        except ValueError:
            return ""

    return Judges(dhcp, tftp, http)
