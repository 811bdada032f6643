"""Which TPM each node must have, and what it must have measured: shown, enrolled, accepted, forgotten."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from provisioner.boot.attested import differences, in_words, short
from provisioner.boot.tpmfolder import TpmFolder
from provisioner.config.paths import Paths
from provisioner.errors import ConflictError, NotFoundError, ProvisionerError
from provisioner.host.who import who
from provisioner.model.resolved import ResolvedNode
from provisioner.model.tpm import MEASURED, PURPOSES, UNKNOWN_TPM, Enrolment, KnownTpm, Shown
from provisioner.operations.boots import served
from provisioner.operations.select import select

_SHORT = 8
# As many as consoles and tables show. Fewer are met by some key that an attacker makes; none, by any key.
_KEY = re.compile(r"[0-9a-f]{16,64}")
_NOT_ASKED = "not asked for"


@dataclass(frozen=True, slots=True)
class TpmRow:
    """What is known of a node's TPM: `state` in words, keys as SHA-256 in hexadecimal, registers that differ.

    `differ` are those of `pcrs`, which the node's policy names, and `others` all else that is not as accepted.
    """

    node: str
    state: str
    enrolled: str | None
    by: str | None
    shown: str | None
    boot: str | None
    pcrs: str
    differ: tuple[int, ...]
    others: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would be known of a node's TPM, and what that changes, a line each."""

    node: str
    lines: tuple[str, ...]
    before: KnownTpm
    after: KnownTpm


def list_tpms(paths: Paths, nodeset: str | None = None) -> list[TpmRow]:
    """The nodes that have to show a TPM, or whose TPM is known. Raises what `select` raises."""
    known = TpmFolder(paths.state).all()
    rows = (_row(node, known.get(node.name, UNKNOWN_TPM)) for node in _nodes(paths, nodeset))
    return [row for row in rows if nodeset is not None or row.state != _NOT_ASKED]


def enrolling(paths: Paths, nodeset: str, key: str | None = None) -> list[Proposal]:
    """Let the TPMs that nodes showed last be theirs, and what they measured be right.

    With `key` only one that starts with these digits, 16 at least. Raises what `select` raises, ProvisionerError
    for a key that is none, NotFoundError where a node has shown none, ConflictError where it has shown another.
    """
    if key is not None and _KEY.fullmatch(key.lower()) is None:
        hint = f"prov tpm show {nodeset} --format json has all of them"
        raise ProvisionerError(f"{key!r} is no key of a TPM: expected 16 to 64 hexadecimal digits", hint=hint)
    return _proposals(paths, nodeset, lambda name, known: _enrolled(name, known, key))


def accepting(paths: Paths, nodeset: str) -> list[Proposal]:
    """Let what nodes measured last be right; those that are as accepted are left out.

    Raises what `select` raises, NotFoundError where a node has shown nothing, ConflictError where it has shown
    another TPM than its own.
    """
    return _proposals(paths, nodeset, _accepted)


def forgetting(paths: Paths, nodeset: str) -> list[Proposal]:
    """Let nodes have no TPM any more; those without are left out. Raises what `select` raises."""
    return _proposals(paths, nodeset, lambda _, known: (replace(known, enrolled=None), ("is forgotten",)))


def carry_out(paths: Paths, proposals: Iterable[Proposal]) -> None:
    """Make it so. ConflictError for a node that has shown something else since it was looked at."""
    folder = TpmFolder(paths.state)
    for each in proposals:
        folder.change(each.node, partial(_unless_changed, each))


_Change = Callable[[str, KnownTpm], tuple[KnownTpm, tuple[str, ...]]]


def _nodes(paths: Paths, nodeset: str | None) -> list[ResolvedNode]:
    with served(paths) as published:
        found = (published.node(name) for name in select(published, nodeset))
        return [node for node in found if node is not None]


def _proposals(paths: Paths, nodeset: str, change: _Change) -> list[Proposal]:
    folder, found = TpmFolder(paths.state), []
    with served(paths) as published:
        names = select(published, nodeset)
    for name in names:
        before = folder.read(name)
        after, lines = change(name, before)
        if (after.enrolled is None) != (before.enrolled is None) or _changes(before, after):
            found.append(Proposal(name, lines, before, after))
    return found


def _changes(before: KnownTpm, after: KnownTpm) -> bool:
    old, new = before.enrolled, after.enrolled
    return bool(old and new and (old.key, old.registers) != (new.key, new.registers))


def _enrolled(name: str, known: KnownTpm, key: str | None) -> tuple[KnownTpm, tuple[str, ...]]:
    shown = _shown(name, known)
    if key is not None and not shown.key.startswith(key.lower()):
        raise ConflictError(f"{name} has shown the TPM {shown.key}, and not {key}", hint=f"prov tpm show {name}")
    was = f"in place of {short(known.enrolled.key)}" if known.enrolled else "its first"
    lines = (f"TPM {shown.key}, {was}, shown in boot {shown.boot}", *_register_lines(known.enrolled, shown))
    return _as_shown(known, shown), lines


def _accepted(name: str, known: KnownTpm) -> tuple[KnownTpm, tuple[str, ...]]:
    shown = _shown(name, known)
    if known.enrolled is None:
        raise NotFoundError(f"no TPM is enrolled for {name}", hint=f"prov tpm enrol {name}")
    if known.enrolled.key != shown.key:
        message = f"{name} has shown the TPM {short(shown.key)} last, and not its own, {short(known.enrolled.key)}"
        raise ConflictError(message, hint=f"prov tpm enrol {name}")
    return _as_shown(known, shown), tuple(_register_lines(known.enrolled, shown))


def _as_shown(known: KnownTpm, shown: Shown) -> KnownTpm:
    return replace(known, enrolled=Enrolment(shown.key, shown.registers, who(), time.time()), refusal="")


def _shown(name: str, known: KnownTpm) -> Shown:
    if known.shown is None:
        hint = f"prov node set {name} tpm.required=true, and switch it on: it is refused, and known then"
        raise NotFoundError(f"{name} has shown no TPM yet", hint=hint)
    return known.shown


def _register_lines(enrolled: Enrolment | None, shown: Shown) -> Iterator[str]:
    accepted = enrolled.registers if enrolled else {}
    for number in MEASURED:
        old, new = accepted.get(number, ""), shown.registers.get(number, "")
        if old != new:
            yield f"PCR {number} ({PURPOSES[number]}): {old[:_SHORT] or 'nothing'} -> {new[:_SHORT]}"


def _unless_changed(proposal: Proposal, now: KnownTpm) -> KnownTpm:
    if now != proposal.before:
        message = f"{proposal.node} has shown its TPM again meanwhile"
        raise ConflictError(message, hint=f"prov tpm show {proposal.node}")
    return proposal.after


def _row(node: ResolvedNode, known: KnownTpm) -> TpmRow:
    enrolled, shown = known.enrolled, known.shown
    differ = differences(enrolled, shown, MEASURED) if enrolled and shown and enrolled.key == shown.key else ()
    watched = node.tpm.pcrs.numbers
    return TpmRow(
        node.name,
        _state(node, known, [each for each in differ if each in watched]),
        enrolled.key if enrolled else None,
        enrolled.by if enrolled else None,
        shown.key if shown else None,
        shown.boot if shown else None,
        str(node.tpm.pcrs),
        tuple(each for each in differ if each in watched),
        tuple(each for each in differ if each not in watched),
    )


def _state(node: ResolvedNode, known: KnownTpm, differ: Sequence[int]) -> str:
    if known.shown is None:
        return "not shown yet" if node.tpm.required or known.enrolled else _NOT_ASKED
    if known.enrolled is None:
        return "not enrolled"
    if known.enrolled.key != known.shown.key:
        return "another TPM"
    return f"{in_words(differ)} not as accepted" if differ else "verified"
