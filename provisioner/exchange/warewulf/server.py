"""What warewulf.conf says about the network that the server is in; the rest of it is about services."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, IPv6Network, ip_address

from provisioner.config.marked import MarkedMap, Scalar, Value
from provisioner.exchange.remark import Place
from provisioner.exchange.warewulf.ledger import Ledger
from provisioner.model.written import AddressRange

_OFF = frozenset({"false", "no", "off", "0"})
_ADVICE = {
    "nfs": (
        "NFS exports are not this product's",
        "export them on the server, and mount them by an overlay of yours",
    ),
    "tftp": ("the daemon serves its own loaders", "loaders of your own: docs/network-services.md"),
    "warewulf": ("settings of the Warewulf daemon", "prov serve needs none of them"),
    "ssh": ("SSH keys are derived, one set for each node", "ssh.admin_keys says who may log in as root"),
    "api": ("the API of the Warewulf daemon", ""),
    "paths": ("paths of the Warewulf installation", ""),
    "wwclient": ("settings of the Warewulf agent", "the agent of the overlay `agent` takes its place"),
    "image mounts": ("mounts for wwctl image exec", ""),
    "container mounts": ("mounts for wwctl container exec", ""),
    "hostfile": ("the hosts file of the server", "prov export hosts"),
    "WW_INTERNAL": ("the format of the file", ""),
}


@dataclass(frozen=True)
class Server:
    """The server's address with the prefix of its network, and what it gives out there."""

    address: IPv4Interface
    place: Place
    dhcp: bool = True
    pool: AddressRange | None = None
    pool_place: Place = ()
    cidr6: IPv6Network | None = None
    domain: str | None = None


def read_server(ledger: Ledger, file: str) -> Server | None:
    """The network of the server, or None where the file does not tell. Whatever is not carried is remarked."""
    root = ledger.roots[file]
    for key, (reason, advice) in _ADVICE.items():
        if _text(root, key) or _map(root, key):
            ledger.remark((file, key), reason, advice)
    address = _address(ledger, root, file)
    if address is None:
        return None
    first, last = _text(root, "dhcp", "range start"), _text(root, "dhcp", "range end")
    enabled = _text(root, "dhcp", "enabled")
    if enabled:
        ledger.carry((file, "dhcp", "enabled"))
    return Server(
        address,
        (file, "ipaddr"),
        dhcp=(enabled or "true").lower() not in _OFF,
        pool=_pool(ledger, file, f"{first}-{last}") if first and last else None,
        pool_place=(file, "dhcp", "range start"),
        cidr6=_cidr6(ledger, root, file),
        domain=_domain(ledger, root, file),
    )


def _address(ledger: Ledger, root: Value, file: str) -> IPv4Interface | None:
    text, mask = _text(root, "ipaddr"), _text(root, "netmask")
    if text is None:
        return None
    try:
        found = IPv4Interface(text if "/" in text or not mask else f"{text}/{mask}")
    except ValueError as error:
        ledger.remark(
            (file, "ipaddr"), f"not an address with a netmask: {error}", "write networks.provision.server"
        )
        return None
    if "/" not in text and not mask:
        found = IPv4Interface(f"{text}/24")
        ledger.remark((file, "ipaddr"), "there is no netmask; /24 is taken", "mend networks.provision.cidr")
    for key, value in (("netmask", str(found.netmask)), ("network", str(found.network.network_address))):
        said = _text(root, key)
        if said is not None and said.partition("/")[0] != value:
            ledger.remark((file, key), f"does not fit the address, whose network is {found.network}")
        ledger.carry((file, key))
    ledger.carry((file, "ipaddr"))
    return found


def _pool(ledger: Ledger, file: str, text: str) -> AddressRange | None:
    places = [(file, "dhcp", "range start"), (file, "dhcp", "range end")]
    try:
        found = AddressRange(text)
    except ValueError as error:
        for place in places:
            ledger.remark(place, str(error), "write networks.provision.pool")
        return None
    for place in places:
        ledger.carry(place)
    return found


def _cidr6(ledger: Ledger, root: Value, file: str) -> IPv6Network | None:
    text, length = _text(root, "ipaddr6"), _text(root, "prefixlen6")
    if text is None:
        return None
    try:
        found = IPv6Interface(text if "/" in text else f"{text}/{length or 64}").network
    except ValueError as error:
        ledger.remark((file, "ipaddr6"), str(error), "write networks.provision.cidr6")
        return None
    ledger.carry((file, "ipaddr6"))
    ledger.carry((file, "prefixlen6"))
    return found


def _domain(ledger: Ledger, root: Value, file: str) -> str | None:
    """What follows the first dot of the server's name: nodes get names in the same domain."""
    text = _text(root, "fqdn") or ""
    _, _, domain = text.partition(".")
    try:
        ip_address(text)
    except ValueError:
        if domain:
            ledger.carry((file, "fqdn"))
        return domain or None
    return None


def _text(value: Value, *path: str) -> str | None:
    found: Value | None = value
    for key in path:
        found = pair.value if isinstance(found, MarkedMap) and (pair := found.find(key)) else None
    return found.text if isinstance(found, Scalar) else None


def _map(value: Value, key: str) -> bool:
    return (
        isinstance(value, MarkedMap)
        and (pair := value.find(key)) is not None
        and not isinstance(pair.value, Scalar)
    )
