"""What the image of a node holds, as templates see it: the inventory of the generation that the node boots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial

from provisioner.model.image import Generation
from provisioner.model.inventory import Inventory
from provisioner.render.escape import Multiline


class ImageFacts:
    """One generation. Its inventory is read when something of it is asked for.

    Those with one `stamp` are equal. Whatever is asked raises ValueError where nothing is known, with the reason;
    `is_known` tells whether that is so.
    """

    def __init__(self, generation: Generation, read: Callable[[Generation], Inventory | None]) -> None:
        self._generation: Generation | None = generation
        self._reason = f"the image {generation.name} has no inventory: build or import it again"
        self._read: Callable[[], Inventory | None] = partial(read, generation)
        self.stamp: tuple[str, ...] = (generation.name, generation.tree, str(generation.inventory))

    @classmethod
    def unknown(cls, reason: str) -> ImageFacts:
        """The facts of a node without an image, or whose image does not exist."""
        return _NoFacts(reason)

    @cached_property
    def _inventory(self) -> Inventory | None:
        return self._read()

    @property
    def _known(self) -> Inventory:
        if self._inventory is None:
            raise ValueError(self._reason)
        return self._inventory

    @property
    def is_known(self) -> bool:
        """Whether there is an image with an inventory; without one every other question is an error."""
        return self._inventory is not None

    @property
    def generation(self) -> str:
        """The generation: `rocky-9@3`."""
        if self._generation is None:
            raise ValueError(self._reason)
        return self._generation.name

    @property
    def os(self) -> Mapping[str, str]:
        """The assignments of os-release(5): `image.os.ID`."""
        return self._known.os

    @property
    def kernel(self) -> str:
        """The release of the kernel that boots."""
        if self._generation is None:
            raise ValueError(self._reason)
        return self._generation.kernel_release

    @cached_property
    def programs(self) -> Mapping[str, bool]:
        """The well-known programs that the image has, and whether boot starts each: `{NetworkManager: true}`."""
        return {each.name: each.enabled for each in (*self._known.network, *self._known.services)}

    @cached_property
    def packages(self) -> Mapping[str, str]:
        """The versions of the installed packages by their names."""
        return {each.name: each.version for each in reversed(self._known.packages)}

    def has(self, program: str) -> bool:
        """Whether the image has a well-known program (`prov image show NAME` lists them)."""
        return program in self.programs

    def has_unit(self, name: str) -> bool:
        """Whether the image has a systemd unit."""
        return self._known.unit(name) is not None

    def uid(self, user: str) -> int:
        """The number of a user of the image."""
        found = self._known.user_by_name.get(user)
        if found is None:
            raise ValueError(f"the image {self.generation} has no user {user!r}")
        return found.uid

    def gid(self, group: str) -> int:
        """The number of a group of the image."""
        found = self._known.group_by_name.get(group)
        if found is None:
            raise ValueError(f"the image {self.generation} has no group {group!r}")
        return found.gid

    def text(self, path: str) -> Multiline:
        """What a small public file of the image says; which ones an inventory keeps is in docs/images.md."""
        text = self._known.texts.get(_rooted(path))
        if text is None:
            raise ValueError(f"the inventory of {self.generation} keeps no text of {path!r}")
        return Multiline(text)

    def has_text(self, path: str) -> bool:
        """Whether `text` has this file."""
        return _rooted(path) in self._known.texts


class _NoFacts(ImageFacts):
    def __init__(self, reason: str) -> None:
        self._generation = None
        self._reason = reason
        self._read = lambda: None
        self.stamp = (reason,)


def _rooted(path: str) -> str:
    return f"/{path.lstrip('/')}"


Images = Callable[[str | None], ImageFacts]
"""The facts of the image that a reference means (`debian-12`, `debian-12@3`); of none for a node without one."""
