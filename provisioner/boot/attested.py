"""Is this the machine that it says to be, and did it start what it should? The rule for what a TPM has proven."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from provisioner.model.resolved import ResolvedNode
from provisioner.model.tpm import PURPOSES, Enrolment, KnownTpm, Shown

FIRST_USE = "first use"
"""Who enrols a TPM where nobody is asked."""

_DIGITS = 16


def judged(node: ResolvedNode, known: KnownTpm, shown: Shown) -> KnownTpm:
    """What is known after a machine has shown its TPM; its `refusal` is empty where that is the right one.

    With `tpm.first_use` the first TPM is enrolled; nothing else is ever enrolled or accepted here.
    """
    if known.enrolled is None and node.tpm.first_use:
        enrolled = Enrolment(shown.key, shown.registers, FIRST_USE, shown.time)
        return KnownTpm(enrolled, shown)
    return replace(known, shown=shown, refusal=_refusal(node, known.enrolled, shown))


def differences(enrolled: Enrolment, shown: Shown, registers: Iterable[int]) -> tuple[int, ...]:
    """The registers of some that are not as accepted."""
    return tuple(each for each in registers if enrolled.registers.get(each) != shown.registers.get(each))


def short(key: str) -> str:
    """The start of a TPM's digest, for people."""
    return key[:_DIGITS]


def in_words(registers: Iterable[int]) -> str:
    """`PCR 4 (loaders), PCR 7 (Secure Boot)`."""
    return ", ".join(f"PCR {each} ({PURPOSES.get(each, '?')})" for each in registers)


def _refusal(node: ResolvedNode, enrolled: Enrolment | None, shown: Shown) -> str:
    if enrolled is None:
        return f"the TPM {short(shown.key)} is not enrolled for {node.name}"
    if enrolled.key != shown.key:
        return f"{node.name} has the TPM {short(enrolled.key)}, and this machine has {short(shown.key)}"
    if differ := differences(enrolled, shown, node.tpm.pcrs.numbers):
        return f"{in_words(differ)} not as accepted for {node.name}"
    return ""
