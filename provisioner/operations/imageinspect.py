"""A look inside an image, from what was written down when it was made."""

from __future__ import annotations

from collections import Counter
from typing import Any

from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError
from provisioner.image import store
from provisioner.image.contrast import cpu_level
from provisioner.image.inventory import files, inventory
from provisioner.model.image import Generation
from provisioner.model.imagefiles import ImageFiles
from provisioner.model.inventory import Inventory, User

# login.defs(5): below are accounts of the system.
_FIRST_PERSON = 1000
_NO_LOGIN = ("nologin", "false", "sync", "halt", "shutdown")


def inspect_image(paths: Paths, reference: str, *, top: int = 10) -> dict[str, Any]:
    """What a generation holds: its record, and what its inventory says, with the `top` packages by size.

    Sizes are sums of the files that packages brought, in bytes. NotFoundError where there is no inventory.
    """
    generation = store.find(paths, reference)
    facts, listed = inventory(paths, generation), files(paths, generation)
    if facts is None or listed is None:
        hint = "build or import the image again: generations of before this version have no inventory"
        raise NotFoundError(f"{generation.name} has no inventory", hint=hint)
    return {
        **_record(generation),
        "kernels": [each.model_dump(exclude={"config"}) for each in facts.kernels],
        "init": f"{facts.init.name} {facts.init.version}".strip() if facts.init else "",
        "cpu": _cpu(facts),
        "selinux": _selinux(facts, generation),
        "network": [each.model_dump() for each in facts.network],
        "services": [each.model_dump() for each in facts.services],
        "users": [each.name for each in facts.users if _logs_in(each)],
        "units": {"all": len(facts.units), "started": sum(each.starts for each in facts.units)},
        "package_manager": facts.package_manager,
        "packages": len(facts.packages),
        "largest": _largest(facts, listed, top),
        "notes": list(facts.notes),
    }


def _record(generation: Generation) -> dict[str, Any]:
    shown = {"os_name", "kernel_release", "created", "tree_size", "entries", "removed", "lacks", "warnings"}
    return {
        "name": generation.name,
        **generation.model_dump(mode="json", include=shown),
        "origin": f"{generation.origin.kind} {generation.origin.reference}",
        "packing": generation.packing.model_dump(mode="json"),
    }


def _cpu(facts: Inventory) -> dict[str, str]:
    """The level of x86-64 that is needed: what programs say, or what the distribution is known to be built for."""
    level, evidence = cpu_level(facts), "as the distribution is built"
    if facts.cpu is not None and facts.cpu.level >= level:
        level, evidence = facts.cpu.level, f"as {facts.cpu.evidence} says"
    return {"level": "x86-64" if level == 1 else f"x86-64-v{level}", "evidence": evidence}


def _selinux(facts: Inventory, generation: Generation) -> str:
    """The policy that the image asks for, and whether its root has the labels; empty where it asks for none."""
    asked = f"{facts.selinux.type}, {facts.selinux.mode}" if facts.selinux else ""
    return asked if not asked or generation.selinux else f"{asked}, but the root has no labels"


def _logs_in(user: User) -> bool:
    shell = user.shell.rpartition("/")[2]
    return (user.uid == 0 or user.uid >= _FIRST_PERSON) and shell not in _NO_LOGIN


def _largest(facts: Inventory, listed: ImageFiles, top: int) -> list[dict[str, Any]]:
    """The packages whose files are largest; `-` stands for files that no package brought."""
    sizes: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for each in listed.values():
        sizes[each.package or "-"] += each.size
        counts[each.package or "-"] += 1
    return [
        {"package": name, "version": facts.version_of(name) or "", "files": counts[name], "size": size}
        for name, size in sizes.most_common(top)
    ]
