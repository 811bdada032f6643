"""Packages of a Debian-like image: dpkg's own files, read as text (deb-status(5), dpkg-query(1))."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from provisioner.image import inside
from provisioner.model.inventory import Package

_FOLDER = "/var/lib/dpkg"
_STATUS_LIMIT = 64 << 20
_LIST_LIMIT = 32 << 20
_FIELD = re.compile(r"^(Package|Status|Version|Architecture): *([^\s].*)$", re.MULTILINE)
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]{0,127}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~:_-]{0,255}")


def read(root: Path) -> tuple[Package, ...] | None:
    """The installed packages of a tree, as dpkg lists them; None when it has no dpkg database.

    Images without dpkg itself keep one file for each package in `status.d`.
    """
    places = [inside.follow(root, f"{_FOLDER}/status"), *inside.children(root, f"{_FOLDER}/status.d")]
    chosen = [place for place in places if place is not None and not place.name.endswith(".md5sums")]
    parts = [inside.read_regular(place, limit=_STATUS_LIMIT) for place in chosen]
    texts = [part.decode("utf-8", "replace") for part in parts if part]
    return tuple(each for text in texts for each in parse(text)) if texts else None


def parse(text: str) -> Iterator[Package]:
    """The installed packages in the text of a status file; what is removed or half installed is left out."""
    for stanza in re.split(r"\n\s*\n", text):
        fields = {match[1]: match[2] for match in _FIELD.finditer(stanza)}
        name, version = fields.get("Package", ""), fields.get("Version", "")
        installed = fields.get("Status", "install ok installed").split()[-1:] == ["installed"]
        if installed and _NAME.fullmatch(name) and _WORD.fullmatch(version):
            architecture = fields.get("Architecture", "")
            yield Package(
                name=name, version=version, architecture=architecture if _WORD.fullmatch(architecture) else ""
            )


def files(root: Path, package: Package) -> tuple[str, ...]:
    """The paths that a package brought, as the package names them."""
    folder = inside.follow(root, f"{_FOLDER}/info")
    if folder is None:
        return ()
    for name in (f"{package.name}:{package.architecture}", package.name):
        content = inside.read_regular(folder / f"{name}.list", limit=_LIST_LIMIT)
        if content is not None:
            return tuple(content.decode("utf-8", "surrogateescape").splitlines())
    return ()


def diversions(root: Path) -> dict[str, tuple[str, str]]:
    """Where files of packages really lie: path, then place and the package that took the path (dpkg-divert(1))."""
    place = inside.follow(root, f"{_FOLDER}/diversions")
    content = (inside.read_regular(place, limit=_LIST_LIMIT) if place else None) or b""
    lines = content.decode("utf-8", "surrogateescape").splitlines()
    return {path: (place, taker) for path, place, taker in zip(*[iter(lines)] * 3, strict=False)}
