"""Which TPM is a node's, and what it must have measured."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.boot.attested import FIRST_USE, judged
from provisioner.model.resolved import ResolvedNode, ResolvedTpm
from provisioner.model.tpm import UNKNOWN_TPM, Enrolment, KnownTpm, Registers, Shown
from tests.support import resolved

REGISTERS = {number: f"{number:064x}" for number in range(10)}
SHOWN = Shown("a" * 64, REGISTERS, "b1", 10.0)
ENROLLED = KnownTpm(Enrolment("a" * 64, REGISTERS, "root", 5.0))


def node(**policy: Any) -> ResolvedNode:
    return resolved.node("n001").model_copy(update={"tpm": ResolvedTpm(required=True, **policy)})


def shown(**changed: str) -> Shown:
    return Shown(SHOWN.key, {**REGISTERS, **{int(key[1:]): value for key, value in changed.items()}}, "b2", 11.0)


def test_the_enrolled_tpm_with_what_was_accepted_is_right() -> None:
    known = judged(node(), ENROLLED, SHOWN)

    assert (known.refusal, known.shown, known.enrolled) == ("", SHOWN, ENROLLED.enrolled)


def test_a_tpm_that_nobody_enrolled_is_refused_and_remembered() -> None:
    known = judged(node(), UNKNOWN_TPM, SHOWN)

    assert known.refusal == "the TPM aaaaaaaaaaaaaaaa is not enrolled for n001"
    assert (known.enrolled, known.shown) == (None, SHOWN)


def test_where_the_first_one_is_trusted_it_is_enrolled_with_what_it_measured() -> None:
    known = judged(node(first_use=True), UNKNOWN_TPM, SHOWN)

    assert known == KnownTpm(Enrolment(SHOWN.key, REGISTERS, FIRST_USE, 10.0), SHOWN)


@pytest.mark.parametrize("first_use", [False, True])
def test_another_tpm_is_refused_even_where_the_first_one_was_trusted(first_use: bool) -> None:
    other = Shown("b" * 64, REGISTERS, "b2", 11.0)

    known = judged(node(first_use=first_use), ENROLLED, other)

    assert known.refusal == "n001 has the TPM aaaaaaaaaaaaaaaa, and this machine has bbbbbbbbbbbbbbbb"
    assert known.enrolled == ENROLLED.enrolled


@pytest.mark.parametrize("first_use", [False, True])
def test_registers_that_differ_are_named_and_not_accepted(first_use: bool) -> None:
    known = judged(node(first_use=first_use), ENROLLED, shown(r4="ff", r7="ff", r9="ff"))

    assert known.refusal == "PCR 4 (loaders), PCR 7 (Secure Boot) not as accepted for n001"
    assert known.enrolled == ENROLLED.enrolled


def test_only_the_registers_of_the_policy_are_compared() -> None:
    assert judged(node(pcrs=Registers("9")), ENROLLED, shown(r4="ff")).refusal == ""
    assert "PCR 9" in judged(node(pcrs=Registers("9")), ENROLLED, shown(r9="ff")).refusal


def test_a_register_that_was_never_accepted_differs() -> None:
    few = KnownTpm(Enrolment("a" * 64, {0: REGISTERS[0]}, "root", 5.0))

    assert judged(node(), few, SHOWN).refusal.startswith("PCR 2 (firmware of cards), PCR 4")


def test_a_machine_that_is_right_again_is_refused_no_more() -> None:
    refused = judged(node(), ENROLLED, shown(r4="ff"))

    assert judged(node(), refused, SHOWN).refusal == ""
