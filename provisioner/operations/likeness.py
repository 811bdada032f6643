"""Words in place of what only one node has, so that what many nodes have in common reads the same for all.

`10.0.1.7 n007.cluster.local` becomes `{ip} {name}.cluster.local`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from provisioner.dns.reverse import name_of
from provisioner.model.hostnames import device_label
from provisioner.model.resolved import ResolvedInterface, ResolvedNode

_TOKEN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.:-]*[A-Za-z0-9])?|::[0-9a-f:]+")

_WORD = re.compile(r"\{[^{}]*\}")


class Likeness:
    """The words of one node. `old` is what the node was before a change, where that is told apart."""

    def __init__(self, node: ResolvedNode, old: ResolvedNode | None = None) -> None:
        self._node = node
        self._old = old

    @cached_property
    def words(self) -> Mapping[str, str]:
        """The word for each text that is this node's alone."""
        own = dict(_words(self._node))
        # Of two devices with one address, or a name that is a number, the first meaning holds.
        before = {text: f"{{old {word[1:]}" for text, word in _words(self._old)} if self._old else {}
        return {**{text: word for text, word in before.items() if text not in own}, **own}

    def meanings(self, lines: Iterable[str]) -> dict[str, str]:
        """What each word in some lines stands for."""
        text = "\n".join(lines)
        return {
            word.strip("{}"): value for value, word in self.words.items() if word in text and _WORD.fullmatch(word)
        }

    def of(self, text: str) -> str:
        """A text with words in it."""
        return _TOKEN.sub(self._word, text)

    def _word(self, match: re.Match[str]) -> str:
        return self.words.get(match[0], match[0])


def _words(node: ResolvedNode) -> Iterator[tuple[str, str]]:
    boot = node.boot_interface
    # The last pair of a text wins, so the plainest words come last.
    for key in ("uuid", "serial", "asset"):
        if (value := getattr(node, key)) is not None:
            yield str(value), f"{{{key}}}"
    if node.bmc is not None and node.bmc.ip is not None:
        yield str(node.bmc.ip.ip), "{bmc.ip}"
    for interface in node.interfaces:
        if interface is not boot:
            label = device_label(interface.name)
            yield from _of_device(interface, f"{interface.name}.")
            for name in (node.name, node.name.lower()):
                yield f"{name}-{interface.name}", f"{{name}}-{interface.name}"
                yield f"{name}-{label}.{node.domain}".lower(), f"{{name}}-{label}.{node.domain}"
    for name in (node.name, node.name.lower()):
        yield f"{name}.{node.domain}", f"{{name}}.{node.domain}"
        yield f"{name}.{node.domain}".lower(), f"{{name}}.{node.domain}".lower()
    if boot is not None:
        yield from _of_device(boot, "")
    yield node.name.lower(), "{name}"
    yield node.name, "{name}"


def _of_device(interface: ResolvedInterface, prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in (("ip6", interface.ip6), ("ip", interface.ip)):
        if value is not None:
            yield name_of(value.network.__class__(value.ip)), f"{{reverse of {prefix}{key}}}"
            yield str(value.ip), f"{{{prefix}{key}}}"
    if interface.mac is not None:
        yield interface.mac.hyphenated, f"{{{prefix}mac}}"
        yield str(interface.mac), f"{{{prefix}mac}}"
