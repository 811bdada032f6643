"""Remarks on settings that mean something in Warewulf and something else, or nothing, here."""

from __future__ import annotations

from collections.abc import Mapping

from provisioner.exchange.warewulf.device import MEANT, Findings
from provisioner.exchange.warewulf.entry import NODE, REMOVED, Entry, Fields, Said, misfit
from provisioner.exchange.warewulf.ledger import Ledger
from provisioner.exchange.warewulf.rule import NET, Target

# What reads a tag here, and what it reads instead.
_TAGS = {
    "IPXEMenuEntry": "no boot script here reads it",
    "GrubMenuEntry": "no boot script here reads it",
    "localtime": "the overlay localtime reads the tag timezone",
    "ntp_server": "the overlay chrony reads the tag ntp",
    "ntp_servers": "the overlay chrony reads the tag ntp, with blanks between the servers",
    "PasswordlessRoot": "no shipped overlay reads it",
    "gpuMigProfiles": "the overlay mig reads resources.mig",
    "Tag": "nothing here reads it",
}
_INTERFACE_TAGS = frozenset({"cloned-mac-address", "ipv6_method"})
_USED_UP = frozenset({"device", "primary", "ipcidr"})
_UNWRITTEN = frozenset({("ipxe",), ("root",), ("bmc", "template"), ("bmc", "netmask"), ("groups",)})
# These are judged once the networks are known.
_LATER = frozenset({NET, "groups", "overlays", "primary"})
_ADDRESSES = frozenset({("bmc", "ip"), ("bmc", "netmask")})
_IPMITOOL = frozenset({"ipmitool", "ipmitool.tmpl"})


def is_written(target: Target) -> bool:
    """Whether a field that is neither a list nor of a network device is written as it is."""
    return target[0] != NET and target not in _UNWRITTEN and target != ("primary",)


def remark_settings(ledger: Ledger, entry: Entry) -> None:
    """Carry or remark every field of an entry that can be judged by itself."""
    for path, said in entry.fields.items():
        if path == ("ipxe",):
            _remark_script(ledger, entry, said.value)
        elif path == ("root",):
            reason = "the root file system is a packed image in memory with an overlay of changes here"
            ledger.remark(said.places[0], reason, "disks and other kinds of root: see docs/images.md")
        elif path == ("bmc", "template"):
            _remark_template(ledger, entry, said.value)
        elif path[0] not in _LATER and path not in _ADDRESSES:
            for place in said.places:
                ledger.carry(place)
        if reason := _also(path, said):
            ledger.remark(said.places[0], reason)


def remark_unused(
    ledger: Ledger, entries: Mapping[str, Entry], final: Mapping[str, Fields], findings: Findings
) -> None:
    """Carry what became part of something else (a netname, a tag of a route); remark what says nothing."""
    for fields in final.values():
        for path, said in fields.items():
            if _is_used_up(path) and not findings.kept.intersection(said.places):
                ledger.carry(said.places[0])
    spoken = ledger.carried | {place for place, _ in ledger.remarks}
    for entry in entries.values():
        for path, said in entry.fields.items():
            if path[0] in {NET, "primary"} or path in _ADDRESSES:
                for place in said.places:
                    if not any(place[:length] in spoken for length in range(1, len(place) + 1)):
                        ledger.remark(place, "it says nothing: no node uses it, or every node has another value")


def remark_images(ledger: Ledger, final: Mapping[str, Fields]) -> None:
    """Say of every image, once, how it gets here."""
    seen: set[str] = set()
    for fields in final.values():
        said = fields.get(("image",))
        if said is not None and said.value not in seen:
            seen.add(said.value)
            advice = f"prov image import SOURCE {said.value}, or prov image build {said.value}"
            ledger.remark(said.places[0], f"the image {said.value} has to be brought along", advice)


def _also(path: Target, said: Said) -> str:
    """What is to be said of a field although it is carried."""
    if path == ("bmc", "password") and said.value is not REMOVED:
        return "carried as it is, into a file that only root and the daemon may read"
    if path[0] == "tags" and path[1] in _TAGS:
        return f"it is a tag here too, but {_TAGS[path[1]]}"
    if path[0] == NET and path[-1] in _INTERFACE_TAGS:
        return "it is a tag of the interface here too, but no shipped overlay reads it"
    return ""


def _is_used_up(path: Target) -> bool:
    """Whether a field of a network device became part of something else; netmasks did only with an address."""
    if path[0] != NET:
        return path == ("primary",)
    return path[2] in _USED_UP or (path[2] == "tags" and MEANT.fullmatch(path[3]) is not None)


def _remark_script(ledger: Ledger, entry: Entry, template: object) -> None:
    place = entry.fields["ipxe",].places[0]
    if template == "default" or template is REMOVED:
        ledger.carry(place)
        return
    kind = "node" if entry.kind == NODE else "group"
    # What names a file there may lead anywhere.
    name = "NAME" if misfit(("script",), template) else template
    advice = f"write templates/{name}.ipxe.j2, then: prov {kind} set {entry.name} script={name}"
    ledger.remark(place, "boot scripts are Jinja templates here, so this one has to be written anew", advice)


def _remark_template(ledger: Ledger, entry: Entry, template: object) -> None:
    place = entry.fields["bmc", "template"].places[0]
    if template in _IPMITOOL or template is REMOVED:
        ledger.carry(place)
    else:
        ledger.remark(place, "BMCs are spoken to by IPMI or Redfish here, not by a template", "set bmc.driver")
