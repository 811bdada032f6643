"""What templates may include besides values: files of the site's folder `files/`, and facts of the node's image.

Both are part of what a boot holds to: the files of its revision, the image of its generation. Templates reach no
other file of the head node.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from provisioner.overlay.imagefacts import ImageFacts, Images
from provisioner.overlay.source import Files, WrittenFiles
from provisioner.render.escape import Multiline

FOLDER = "files"
_PREFIX = f"{FOLDER}/"


class SiteFiles:
    """`site_file("motd.txt")` in a template: the text of `files/motd.txt` of a revision.

    Those with one `stamp` are equal. It leads to no snapshot, so it may be kept longer than one.
    """

    def __init__(self, files: Files) -> None:
        self._files = files

    def __call__(self, path: str) -> Multiline:
        """The text of a file. ValueError for one that is not there, and for what is no text."""
        key = f"{_PREFIX}{path}"
        found = self._files.files.get(key)
        if found is None:
            raise ValueError(f"the site has no file {key}")
        if found.kind != "file":
            raise ValueError(f"{key} is a symlink, and none is followed: put a copy there")
        try:
            text = self._files.read(key).decode()
        except UnicodeDecodeError:
            raise ValueError(f"{key} is not UTF-8 text") from None
        if "\0" in text:
            raise ValueError(f"{key} is no text: it holds a NUL")
        return Multiline(text)

    @cached_property
    def stamp(self) -> str:
        """The digest of all files that can be included."""
        total = hashlib.sha256()
        for key in sorted(self._files.files):
            if key.startswith(_PREFIX):
                total.update(
                    hashlib.sha256(key.encode()).digest() + hashlib.sha256(self._files.read(key)).digest()
                )
        return total.hexdigest()


@dataclass(frozen=True, slots=True)
class Includes:
    """What may be included: files of a revision, and the facts of images by reference."""

    site_file: SiteFiles
    image_of: Images


NO_INCLUDES = Includes(SiteFiles(WrittenFiles({})), lambda _: ImageFacts.unknown("no image is known here"))
