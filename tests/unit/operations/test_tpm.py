"""What is known of the TPMs of a site: shown, enrolled, accepted, forgotten."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from provisioner.boot.tpmfolder import TpmFolder
from provisioner.config.paths import Paths
from provisioner.errors import ConflictError, NotFoundError, ProvisionerError
from provisioner.model.catalogue import Catalogue
from provisioner.model.tpm import UNKNOWN_TPM, Enrolment, KnownTpm, Shown
from provisioner.operations.check import compile_site
from provisioner.operations.tpm import accepting, carry_out, enrolling, forgetting, list_tpms
from tests.support.site import SITE, write_site

REGISTERS = {number: f"{number:064x}" for number in range(10)}
SHOWN = Shown("a" * 64, REGISTERS, "b1", 10.0)
ENROLLED = KnownTpm(Enrolment("a" * 64, REGISTERS, "root", 5.0), SHOWN)
OTHER = replace(SHOWN, registers={**REGISTERS, 4: "f" * 64, 9: "f" * 64})


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """n001 and n002 have to show their TPMs, n003 has not."""
    nodes = "nodes:\n  n[001-002]: {tpm: {required: true}}\n  n003:\n"
    paths = write_site(tmp_path, {"provisioner.yaml": SITE, "nodes.d/n.yaml": nodes})
    compile_site(paths, Catalogue({}, {}))
    return paths


def known(paths: Paths, node: str, what: KnownTpm) -> None:
    TpmFolder(paths.state).change(node, lambda _: what)


def test_all_that_have_to_show_a_tpm_are_listed_and_others_when_they_are_named(paths: Paths) -> None:
    assert [(row.node, row.state) for row in list_tpms(paths)] == [
        ("n001", "not shown yet"),
        ("n002", "not shown yet"),
    ]
    assert [(row.node, row.state) for row in list_tpms(paths, "n003")] == [("n003", "not asked for")]


@pytest.mark.parametrize(
    ("what", "state"),
    [
        (KnownTpm(shown=SHOWN), "not enrolled"),
        (ENROLLED, "verified"),
        (replace(ENROLLED, shown=replace(SHOWN, key="b" * 64)), "another TPM"),
        (replace(ENROLLED, shown=OTHER), "PCR 4 (loaders) not as accepted"),
        (replace(ENROLLED, shown=None), "not shown yet"),
    ],
)
def test_the_state_says_what_keeps_a_node_from_its_secrets(paths: Paths, what: KnownTpm, state: str) -> None:
    known(paths, "n001", what)

    assert list_tpms(paths, "n001")[0].state == state


def test_registers_that_differ_are_told_apart_by_the_policy(paths: Paths) -> None:
    known(paths, "n001", replace(ENROLLED, shown=OTHER))

    row = list_tpms(paths, "n001")[0]

    assert (row.differ, row.others) == ((4,), (9,))


def test_a_tpm_that_was_shown_is_enrolled_with_what_it_measured(paths: Paths) -> None:
    known(paths, "n001", KnownTpm(shown=SHOWN))

    proposals = enrolling(paths, "n001", "A" * 16)
    assert TpmFolder(paths.state).read("n001").enrolled is None
    carry_out(paths, proposals)

    assert proposals[0].lines[0] == f"TPM {'a' * 64}, its first, shown in boot b1"
    assert len(proposals[0].lines) == 11
    enrolled = TpmFolder(paths.state).read("n001").enrolled
    assert enrolled is not None
    assert (enrolled.key, enrolled.registers) == (SHOWN.key, REGISTERS)


def test_only_the_tpm_that_was_named_is_enrolled_and_none_that_nobody_saw(paths: Paths) -> None:
    known(paths, "n001", KnownTpm(shown=SHOWN))

    with pytest.raises(ConflictError, match="and not bb"):
        enrolling(paths, "n001", "b" * 16)
    with pytest.raises(NotFoundError, match="n002 has shown no TPM yet"):
        enrolling(paths, "n[001-002]")


@pytest.mark.parametrize("key", ["", "a", "a" * 15, "a" * 65, "g" * 16, "aa:" * 8])
def test_too_few_digits_name_no_tpm(paths: Paths, key: str) -> None:
    # As `--key "$DIGEST"` with an empty variable.
    known(paths, "n001", KnownTpm(shown=SHOWN))

    with pytest.raises(ProvisionerError, match="expected 16 to 64 hexadecimal digits"):
        enrolling(paths, "n001", key)


def test_what_differs_is_shown_before_it_is_accepted_and_what_is_right_is_left_alone(paths: Paths) -> None:
    known(paths, "n001", replace(ENROLLED, shown=OTHER, refusal="PCR 4"))
    known(paths, "n002", ENROLLED)

    proposals = accepting(paths, "n[001-002]")
    carry_out(paths, proposals)

    assert [each.node for each in proposals] == ["n001"]
    assert proposals[0].lines[0] == "PCR 4 (loaders): 00000000 -> ffffffff"
    found = TpmFolder(paths.state).read("n001")
    assert found.enrolled is not None
    assert (found.enrolled.registers, found.refusal) == (OTHER.registers, "")


def test_another_tpm_is_never_accepted_by_its_registers(paths: Paths) -> None:
    known(paths, "n001", replace(ENROLLED, shown=replace(OTHER, key="b" * 64)))
    known(paths, "n002", KnownTpm(shown=SHOWN))

    with pytest.raises(ConflictError, match="and not its own"):
        accepting(paths, "n001")
    with pytest.raises(NotFoundError, match="no TPM is enrolled for n002"):
        accepting(paths, "n002")


def test_a_forgotten_tpm_is_enrolled_no_more_but_still_known(paths: Paths) -> None:
    known(paths, "n001", ENROLLED)

    carry_out(paths, forgetting(paths, "n[001-003]"))

    assert TpmFolder(paths.state).read("n001") == KnownTpm(shown=SHOWN)
    assert TpmFolder(paths.state).read("n003") == UNKNOWN_TPM
    assert forgetting(paths, "n001") == []


def test_a_node_that_shows_something_else_meanwhile_keeps_what_it_had(paths: Paths) -> None:
    known(paths, "n001", KnownTpm(shown=SHOWN))
    proposals = enrolling(paths, "n001")
    known(paths, "n001", KnownTpm(shown=replace(SHOWN, key="b" * 64)))

    with pytest.raises(ConflictError, match="has shown its TPM again meanwhile"):
        carry_out(paths, proposals)

    assert TpmFolder(paths.state).read("n001").enrolled is None
