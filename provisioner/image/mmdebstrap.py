"""Make a Debian tree with mmdebstrap."""

from __future__ import annotations

import logging
from pathlib import Path

from provisioner.errors import CommandError
from provisioner.host.run import run
from provisioner.image import inside
from provisioner.image.recipe import Recipe

logger = logging.getLogger(__name__)

_UNITS = "/etc/systemd/system"
_TAIL = 15
# The kernel wants some maker of initramfs to be installed. This is the smallest (150 kB, no time at all);
# stage 1 comes from the machine that builds.
_INITRAMFS_MAKER = "tiny-initramfs"


def make_tree(recipe: Recipe, tree: Path, *, sources: Path, log: Path) -> int:
    """Fill a new directory by a recipe, and return the time of its newest package in Unix seconds.

    `sources` is an apt sources file. All output goes to `log`; its end is in the CommandError of a failure.
    """
    log.unlink(missing_ok=True)
    command = _command(recipe, tree, sources)
    try:
        with log.open("wb") as stream:
            run([*command, "--logfile", log], timeout=3 * 3600, stdout=stream, environment=_environment(recipe))
    except CommandError as error:
        raise _with_tail(error, log) from None
    _mask(recipe, tree)
    return _newest_package(tree, recipe.epoch)


def _command(recipe: Recipe, tree: Path, sources: Path) -> list[str | Path]:
    packages = ",".join((*recipe.packages, _INITRAMFS_MAKER))
    apt = ["--aptopt=APT::Install-Recommends false", "--aptopt=Acquire::Languages none"]
    excludes = [f"--dpkgopt=path-exclude={path}" for path in recipe.exclude]
    options = ["--mode=root", "--variant=minbase", "--format=directory", f"--include={packages}"]
    return ["mmdebstrap", *options, *apt, *excludes, recipe.suite, tree, sources]


def _environment(recipe: Recipe) -> dict[str, str]:
    # INITRD=No is what kernel hooks of Debian honour to make no initramfs.
    return {"SOURCE_DATE_EPOCH": str(recipe.epoch), "INITRD": "No", "DEBIAN_FRONTEND": "noninteractive"}


def _with_tail(error: CommandError, log: Path) -> CommandError:
    lines = log.read_text(errors="replace").splitlines()[-_TAIL:]
    output = "\n".join(lines) or error.output
    message = f"mmdebstrap failed with status {error.status}; the end of {log}:\n{output}"
    hint = "check that the mirror answers, or name another one with --mirror URL"
    return CommandError(message, status=error.status, output=output, hint=hint)


def _mask(recipe: Recipe, tree: Path) -> None:
    folder = inside.resolve(tree, _UNITS)
    for unit in recipe.mask:
        place = folder / unit
        place.unlink(missing_ok=True)
        place.symlink_to("/dev/null")


def _newest_package(tree: Path, fallback: int) -> int:
    """The build time of the newest package: the lists of checksums keep the times of their packages."""
    lists = inside.resolve(tree, "/var/lib/dpkg/info").glob("*.md5sums")
    return max((int(file.lstat().st_mtime) for file in lists), default=fallback)
