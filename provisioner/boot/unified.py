"""Does a machine load kernel and stage 1 as one signed program, or apart? One pure answer."""

from __future__ import annotations

from dataclasses import replace

from provisioner.boot.script import Language, is_single
from provisioner.model.boot import Boot, Refused
from provisioner.model.written import UnifiedMode

ARCHITECTURES = frozenset({"x86_64"})
"""The processors that such an image can be made for: there is a stub for them (image.unified)."""


def as_one(decision: Boot, *, usable: bool, language: Language = Language.IPXE) -> Boot | Refused:
    """A boot, with the unified kernel image of its generation where that is wanted and there.

    `usable`: its keys are those of today. A node that boots in no other way is refused where it is not. Only the
    machine knows whether its firmware is UEFI: its script asks (templates/boot.ipxe.j2).
    """
    wanted = decision.node.boot.unified
    if wanted is UnifiedMode.NEVER:
        return decision
    obstacle = _obstacle(decision, language, usable=usable)
    if obstacle is None:
        return replace(decision, unified=True)
    if wanted is UnifiedMode.ALWAYS:
        name = decision.node.name
        reason, hint = obstacle
        return Refused(decision.node, f"{name} has boot.unified=always, but {reason}", hint.format(node=name))
    return decision


def _obstacle(decision: Boot, language: Language, *, usable: bool) -> tuple[str, str] | None:
    """Why kernel and stage 1 come apart, and what helps."""
    apart = "prov node set {node} boot.unified=auto"
    if is_single(decision):
        return "a root of kind single has no stage 1", apart
    if language is Language.GRUB:
        return "GRUB loads kernel and stage 1 apart", "prov node set {node} boot.loader=snponly"
    if decision.generation.architecture not in ARCHITECTURES:
        return f"{decision.generation.name} is for {decision.generation.architecture}, which has none", apart
    if decision.generation.uki is None:
        return f"{decision.generation.name} has no unified kernel image", "prov secureboot sign"
    if not usable:
        return f"the unified kernel image of {decision.generation.name} has other keys", "prov secureboot sign"
    return None
