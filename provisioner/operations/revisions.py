"""Revisions by the names that people type: the start of one is enough."""

from __future__ import annotations

from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError, ProvisionerError
from provisioner.registry.revision import short


def kept_revision(paths: Paths, text: str) -> str:
    """The full name of the one kept revision that starts with a text.

    Raises NotFoundError when none does, ProvisionerError when several do.
    """
    folder = paths.objects.parent / "revisions"
    found = sorted(path.stem for path in folder.glob("*.json") if path.stem.startswith(text)) if text else []
    if not found:
        hint = "prov history and prov status name revisions"
        raise NotFoundError(f"no revision that starts with {text!r} is kept", hint=hint)
    if len(found) > 1:
        message = f"{len(found)} revisions start with {text!r}"
        raise ProvisionerError(message, hint=f"write more of it: {', '.join(map(short, found[:3]))}")
    return found[0]
