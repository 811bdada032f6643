"""`resources.fstab`: the words of fstab(5) that Warewulf uses, to those of the overlay fstab."""

from __future__ import annotations

from typing import Any

from provisioner.exchange.remark import Place
from provisioner.exchange.warewulf.entry import Fields, Said
from provisioner.exchange.warewulf.ledger import Ledger

FSTAB = ("resources", "fstab")
_WORDS = {"spec": "device", "file": "path", "vfstype": "format", "mntops": "options"}
# Our overlay knows them: no dump, and a check of what can be checked.
_IMPLIED = frozenset({"freq", "passno"})


def with_mounts(ledger: Ledger, fields: Fields) -> Fields:
    """The same fields with the lines of fstab in our words; lines that are not understood stay as they are."""
    said = fields.get(FSTAB)
    if said is None or not isinstance(said.value, list):
        return fields
    lines = [_line(ledger, line, said.places[0]) for line in said.value]
    return {**fields, FSTAB: Said(lines, said.places)}


def _line(ledger: Ledger, line: Any, place: Place) -> Any:
    if not isinstance(line, dict) or not line.get("spec") or set(line) - {*_WORDS, *_IMPLIED}:
        hint = "a line is {device, path, format, options}: prov overlay show fstab"
        ledger.remark(place, "a line of it is carried, but the overlay fstab does not know its words", hint)
        return line
    found = {ours: line[theirs] for theirs, ours in _WORDS.items() if line.get(theirs)}
    if "options" in found:
        found["options"] = [each for each in str(found["options"]).split(",") if each]
    host, colon, _ = str(found["device"]).partition(":")
    if colon and host == "warewulf":
        ledger.remark(place, "`warewulf` is the server's name there; here it is `provisioner`", "mend the device")
    return found
