"""Which entries of a text name a node."""

from __future__ import annotations

from provisioner.config.marked import MarkedMap, parse
from provisioner.model.nodeset import expand


def entries_of(text: str, node: str) -> tuple[str, ...]:
    """The entries below `nodes:` whose node set has this node, as they are written; none in a broken text."""
    if "nodes" not in text:
        return ()
    root = parse("", text).root
    section = root.find("nodes") if isinstance(root, MarkedMap) else None
    if section is None or not isinstance(section.value, MarkedMap):
        return ()
    return tuple(
        text[pair.key.span.start : pair.value.span.end]
        for pair in section.value.pairs
        if _names(pair.key.text or "", node)
    )


def _names(nodeset: str, node: str) -> bool:
    try:
        return nodeset == node or node in expand(nodeset)
    except ValueError:
        return False
