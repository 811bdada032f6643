"""The network devices of one node: what its netnames and their tags mean for bonds, VLANs, routes and DNS.

Tags that mean something become typed fields. They are worked out for each node after its profiles, because tags
merge by their key and our lists are appended.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from provisioner.exchange.remark import Place
from provisioner.exchange.warewulf.entry import REMOVED, Fields, Said, misfit
from provisioner.exchange.warewulf.ledger import Ledger
from provisioner.exchange.warewulf.rule import NET, Target
from provisioner.model.address import InfinibandAddress
from provisioner.model.device import BondMode, Route

MEANT = re.compile(
    r"DNS[0-9]*|DNSSEARCH|route.*|master|vlan_id|parent_device|mode|miimon|updelay|downdelay|xmit_hash_policy"
)
_DNS = re.compile(r"DNS[0-9]*")
_ROUTE = re.compile(r"(\S+?)[,\s]+(?:via\s+)?([^\s,]+)(?:[,\s]+(?:metric\s+)?([0-9]+))?")
_BOND = ("mode", "miimon", "updelay", "downdelay", "xmit_hash_policy")
_MODES = {str(number): mode.value for number, mode in enumerate(BondMode)}
_KEEP = "it stays a tag of the interface"
DIRECT = ("type", "mac", "ip", "ip6", "mtu", "gateway", "gateway6", "onboot")


@dataclass
class Findings:
    """What was worked out: derived values by node, values that are left out, and tags that stay tags."""

    derived: dict[str, dict[Target, Any]] = field(default_factory=dict)
    dropped: set[Place] = field(default_factory=set)
    kept: set[Place] = field(default_factory=set)


@dataclass
class DeviceReader:
    """Reads the devices of one node after another."""

    ledger: Ledger
    findings: Findings

    def read(self, node: str, fields: Fields, devices: dict[str, str]) -> None:
        """Work out what the netnames of a node mean; `devices` are its devices by netname."""
        found: dict[Target, Any] = {}
        types = {name: self._type(fields, name, devices) for name in devices}
        for name, device in devices.items():
            tags = {path[3]: said for path, said in fields.items() if path[:3] == (NET, name, "tags")}
            at = ("interfaces", device)
            if name != device and "netname" not in tags:
                found[(*at, "tags", "netname")] = name
            found |= {(*at, *path): value for path, value in self._from_tags(tags, types[name], devices)}
            if "master" in tags:
                self._enslave(found, device, tags["master"], (devices, types))
        self._choose_primary(found, fields, devices)
        self.findings.derived[node] = found

    def _type(self, fields: Fields, name: str, devices: dict[str, str]) -> str:
        """The type of a device; one that does not fit the rest is left out."""
        said, mac = fields.get((NET, name, "type")), fields.get((NET, name, "mac"))
        kind = said.value if said else "ethernet"
        if mac and said and (kind == "infiniband") != InfinibandAddress.looks_like(mac.value):
            self._drop(
                mac, f"not the address of a device of type {kind}", "look into /sys/class/net/DEVICE/address"
            )
        if kind != "vlan" or said is None:
            return kind
        number = fields.get((NET, name, "tags", "vlan_id"))
        parent = fields.get((NET, name, "tags", "parent_device"))
        others = {**devices, **{device: device for device in devices.values()}}
        own = devices[name]
        has_id = number is not None and not misfit(("interfaces", "eth0", "vlan", "id"), number.value)
        if has_id and parent is not None and others.get(parent.value, own) != own:
            return kind
        self._drop(said, "a VLAN needs the tags vlan_id and parent_device, of another device of the node", "")
        return "ethernet"

    def _from_tags(
        self, tags: dict[str, Said], kind: str, devices: dict[str, str]
    ) -> Iterator[tuple[Target, Any]]:
        names = [tags[key] for key in sorted(tags) if _DNS.fullmatch(key)]
        yield from self._listed("dns", names)
        yield from self._listed("search", [tags["DNSSEARCH"]] if "DNSSEARCH" in tags else [])
        yield from self._routes([tags[key] for key in sorted(tags) if key.startswith("route")])
        if kind == "vlan":
            parent = tags["parent_device"].value
            yield ("vlan", "id"), int(tags["vlan_id"].value)
            yield ("vlan", "parent"), devices.get(parent, parent)
        else:
            self._keep(tags[key] for key in ("vlan_id", "parent_device") if key in tags)
        for key in _BOND:
            if key in tags:
                yield from self._bond_field(key, tags[key], kind)

    def _listed(self, key: str, said: list[Said]) -> Iterator[tuple[Target, Any]]:
        items: list[str] = []
        for each in said:
            words = [word for word in re.split(r"[\s,;]+", each.value) if word]
            reason = next((why for word in words if (why := misfit(("interfaces", "eth0", key), (word,)))), "")
            if reason:
                self._keep([each], reason)
            else:
                items += words
        if items:
            yield (key,), tuple(dict.fromkeys(items))

    def _routes(self, said: list[Said]) -> Iterator[tuple[Target, Any]]:
        routes: list[dict[str, Any]] = []
        for each in said:
            match = _ROUTE.fullmatch(each.value.strip())
            route = {"to": match[1], "via": match[2]} if match else {}
            if match and match[3]:
                route["metric"] = match[3]
            try:
                Route.model_validate(route)
            except ValidationError:
                self._keep([each], "not a route; expected NETWORK,ROUTER or NETWORK,ROUTER,METRIC")
            else:
                routes.append(route)
        if routes:
            yield ("routes",), tuple(tuple(sorted(route.items())) for route in routes)

    def _bond_field(self, key: str, said: Said, kind: str) -> Iterator[tuple[Target, Any]]:
        value = _MODES.get(said.value, said.value) if key == "mode" else said.value
        reason = misfit(("interfaces", "eth0", "bond", key), value)
        if kind != "bond":
            self._keep([said], "only a bond has it" if key != "mode" else "")
        elif reason:
            self._keep([said], reason)
        else:
            yield ("bond", key), value if key in {"mode", "xmit_hash_policy"} else int(value)

    def _enslave(
        self, found: dict[Target, Any], device: str, master: Said, of_node: tuple[dict[str, str], dict[str, str]]
    ) -> None:
        """Make a device a member of the bond that its tag `master` names, by device or netname."""
        devices, types = of_node
        for name, bond in devices.items():
            if types[name] == "bond" and bond != device and master.value in {name, bond}:
                at = ("interfaces", bond, "bond", "members")
                found[at] = tuple(sorted({*found.get(at, ()), device}))
                return
        self._keep([master], "the node has no bond of this name")

    def _choose_primary(self, found: dict[Target, Any], fields: Fields, devices: dict[str, str]) -> None:
        """The interface that boots, where our own rule (the first device with a MAC) would choose another."""
        said = fields.get(("primary",))
        flagged = [name for name in devices if (flag := fields.get((NET, name, "primary"))) and flag.value is True]
        with_mac = [name for name in sorted(devices) if (NET, name, "mac") in fields]
        chosen = said.value if said else next(iter([*flagged, *with_mac]), None)
        if chosen not in devices:
            if said:
                self.ledger.remark(said.places[0], f"there is no network device {chosen}")
            return
        if devices[chosen] != min((devices[name] for name in with_mac), default=None) or said:
            found["primary",] = devices[chosen]

    def _keep(self, said: Any, reason: str = "") -> None:
        for each in said:
            self.findings.kept.update(each.places)
            if reason:
                self.ledger.remark(each.places[0], f"{reason}; {_KEEP}", "say it by hand once the import is done")

    def _drop(self, said: Said, reason: str, advice: str) -> None:
        self.findings.dropped.update(said.places)
        self.ledger.remark(said.places[0], reason, advice)


def direct(fields: Fields, name: str, device: str, findings: Findings) -> Iterator[tuple[Target, Said]]:
    """What an entry says of a netname and an interface can say as it is."""
    for path, said in fields.items():
        if path[:2] != (NET, name) or findings.dropped.intersection(said.places):
            continue
        if path[2] in DIRECT:
            yield ("interfaces", device, path[2]), said
        elif path[2] == "ipcidr" and (NET, name, "ip") not in fields and said.value is not REMOVED:
            yield ("interfaces", device, "ip"), Said(said.value.partition("/")[0], said.places)
        elif path[2] == "tags" and (not MEANT.fullmatch(path[3]) or findings.kept.intersection(said.places)):
            yield ("interfaces", device, "tags", path[3]), said
