"""Kernel and stage 1 as one signed program: which boots get it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioner.boot.script import Language
from provisioner.boot.unified import as_one
from provisioner.model.boot import Boot, Refused
from provisioner.model.image import Artifact
from provisioner.model.resolved import ResolvedBoot, ResolvedRoot
from provisioner.model.written import RootKind, UnifiedMode
from tests.support import resolved

UKI = Artifact(digest="sha256:" + "7" * 64, size=4)


def boot(wanted: UnifiedMode, *, uki: Artifact | None = UKI, kind: RootKind = RootKind.OVERLAY) -> Boot:
    node = resolved.node(boot=ResolvedBoot(unified=wanted), root=ResolvedRoot(kind=kind))
    generation = resolved.generation().model_copy(update={"uki": uki})
    return Boot(node, generation, node.interfaces[0], "because")


@pytest.mark.parametrize("wanted", [UnifiedMode.AUTO, UnifiedMode.ALWAYS])
def test_a_node_gets_the_one_file_where_there_is_one(wanted: UnifiedMode) -> None:
    found = as_one(boot(wanted), usable=True)

    assert isinstance(found, Boot)
    assert found.unified


def test_where_none_can_be_made_nobody_is_told_to_make_it() -> None:
    decision = boot(UnifiedMode.ALWAYS, uki=None)
    arm = replace(decision, generation=decision.generation.model_copy(update={"architecture": "aarch64"}))

    refused = as_one(arm, usable=False)

    assert isinstance(refused, Refused)
    assert refused.reason == "n001 has boot.unified=always, but debian-12@1 is for aarch64, which has none"
    assert refused.hint == "prov node set n001 boot.unified=auto"


def test_a_node_that_wants_none_gets_kernel_and_stage_1_apart() -> None:
    decision = boot(UnifiedMode.NEVER)

    assert as_one(decision, usable=True) == decision


@pytest.mark.parametrize(
    ("decision", "usable", "language", "reason"),
    [
        (boot(UnifiedMode.ALWAYS, uki=None), False, Language.IPXE, "debian-12@1 has no unified kernel image"),
        (boot(UnifiedMode.ALWAYS), False, Language.IPXE, "the unified kernel image of debian-12@1 has other keys"),
        (boot(UnifiedMode.ALWAYS), True, Language.GRUB, "GRUB loads kernel and stage 1 apart"),
        (
            boot(UnifiedMode.ALWAYS, kind=RootKind.SINGLE),
            True,
            Language.IPXE,
            "a root of kind single has no stage 1",
        ),
    ],
)
def test_without_a_usable_one_a_node_boots_apart_unless_it_must_not(
    decision: Boot, usable: bool, language: Language, reason: str
) -> None:
    refused = as_one(decision, usable=usable, language=language)
    auto = boot(UnifiedMode.AUTO, uki=decision.generation.uki, kind=decision.node.root.kind)

    assert isinstance(refused, Refused)
    assert refused.reason == f"n001 has boot.unified=always, but {reason}"
    assert refused.hint.startswith("prov ")
    assert as_one(auto, usable=usable, language=language) == auto
