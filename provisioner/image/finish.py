"""What is done to a tree when its packages are there: units, commands, and paths that it shall not have."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath

from provisioner.image import chamber, inside
from provisioner.image.recipe import Recipe

_UNITS = "/etc/systemd/system"
_NOWHERE = "/dev/null"


def finish(recipe: Recipe, tree: Path, *, log: Path) -> None:
    """Apply the units and commands of a recipe; CommandError when a command fails."""
    _unmask(recipe, tree)
    _mask(recipe, tree)
    environment = {"SOURCE_DATE_EPOCH": str(recipe.epoch)}
    if recipe.enable:
        chamber.check_inside(tree, ["systemctl", "enable", *recipe.enable], log=log, environment=environment)
    for command in recipe.commands:
        chamber.check_inside(tree, ["/bin/sh", "-ec", command], log=log, environment=environment)


def exclude(tree: Path, pattern: str) -> None:
    """Delete what fits an absolute pattern of the image; stars stand for any characters of one part of a path."""
    for place in _matches(tree, PurePosixPath(pattern)):
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink()


def _matches(tree: Path, pattern: PurePosixPath) -> list[Path]:
    """The entries that fit, links of the image followed inside the image only, and not the last one."""
    found = [PurePosixPath("/")]
    for part in pattern.parts[1:]:
        children = (child for folder in found for child in inside.children(tree, str(folder)))
        fitting = [child for child in children if PurePosixPath(child.name).match(part)]
        found = [PurePosixPath("/", child.relative_to(tree)) for child in fitting]
    return [inside.locate(tree, str(path)) for path in found]


def _mask(recipe: Recipe, tree: Path) -> None:
    folder = inside.resolve(tree, _UNITS)
    for unit in recipe.mask:
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / unit
        place.unlink(missing_ok=True)
        place.symlink_to(_NOWHERE)


def _unmask(recipe: Recipe, tree: Path) -> None:
    folder = inside.resolve(tree, _UNITS)
    for unit in recipe.unmask:
        place = folder / unit
        if place.is_symlink() and str(place.readlink()) == _NOWHERE:
            place.unlink()
