"""What a command wants to write about nodes or a group, as paths and values of one entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from provisioner.config.emit import Writable

Settings = Mapping[tuple[str, ...], Writable]


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Values to write; None and empty ones are not touched. A list replaces the list of the same entry."""

    groups: tuple[str, ...] = ()
    image: str | None = None
    kernel_args: tuple[str, ...] = ()
    system_overlays: tuple[str, ...] = ()
    runtime_overlays: tuple[str, ...] = ()
    script: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    interface: str = "eth0"
    network: str | None = None
    mac: str | None = None
    ip: str | None = None
    ip6: str | None = None

    def settings(self) -> Settings:
        """Path and value of everything that is to be written, in the order of an entry."""
        wanted: dict[tuple[str, ...], Writable] = {
            ("groups",): self.groups,
            ("image",): self.image,
            ("overlays", "system"): self.system_overlays,
            ("overlays", "runtime"): self.runtime_overlays,
            ("kernel", "args"): self.kernel_args,
            ("script",): self.script,
        }
        wanted.update({("tags", key): value for key, value in self.tags.items()})
        for key, value in (("network", self.network), ("mac", self.mac), ("ip", self.ip), ("ip6", self.ip6)):
            wanted["interfaces", self.interface, key] = value
        # An empty tag is a value; an empty list is an option that was not given.
        return {path: value for path, value in wanted.items() if value is not None and value != ()}


def nested(settings: Settings) -> Mapping[str, Writable]:
    """The settings as one entry, ready to be written."""
    entry: dict[str, Writable] = {}
    for head in dict.fromkeys(path[0] for path in settings):
        below = {path[1:]: value for path, value in settings.items() if path[0] == head}
        entry[head] = below[()] if () in below else nested(below)
    return entry
