"""Make a Debian tree with mmdebstrap, or go on with one by its own apt."""

from __future__ import annotations

from pathlib import Path

from provisioner.errors import CommandError, UnavailableError
from provisioner.host.run import require, run
from provisioner.image import chamber, inside
from provisioner.image.recipe import MmdebstrapRecipe

_TAIL = 15
# It mounts this machine's /sys and /dev/shm into the tree. When it is killed they go with its namespace, and are
# not there for whoever deletes the tree.
_ALONE = ("unshare", "--mount", "--propagation", "private")
_SEEN = "/run/provisioner-build"
# The kernel wants some maker of initramfs to be installed. This is the smallest (150 kB, no time at all);
# stage 1 comes from the machine that builds.
_INITRAMFS_MAKER = "tiny-initramfs"


def make_tree(recipe: MmdebstrapRecipe, tree: Path, *, sources: Path, log: Path) -> int:
    """Fill a new directory by a recipe, and return the time of its newest package in Unix seconds.

    `sources` is an apt sources file. All output goes to `log`; its end is in the CommandError of a failure.
    """
    require("mmdebstrap")
    if recipe.architecture is not None:
        _demand_programs_of(recipe.architecture)
    log.unlink(missing_ok=True)
    command = _command(recipe, tree, sources)
    try:
        with log.open("wb") as stream:
            run([*command, "--logfile", log], timeout=3 * 3600, stdout=stream, environment=_environment(recipe))
    except CommandError as error:
        raise _with_tail(error, log) from None
    return _newest_package(tree, recipe.epoch)


def add_to_tree(recipe: MmdebstrapRecipe, tree: Path, *, sources: Path | None, log: Path) -> int:
    """Install a recipe into a tree of Debian with the tree's own apt, and return the time of its newest package.

    Packages come from the tree's own sources, or from `sources` alone. CommandError with the end of the log when
    that fails.
    """
    log.unlink(missing_ok=True)
    binds = [f"{sources}:{_SEEN}/{sources.name}:ro"] if sources else []
    places = [f"-oDir::Etc::SourceList={_SEEN}/{sources.name}", "-oDir::Etc::SourceParts=-"] if sources else []
    options = [*places, "-oAPT::Install-Recommends=false", "-oAcquire::Languages=none"]
    options += [f"-oDPkg::Options::=--path-exclude={path}" for path in recipe.exclude]
    for words in (["-oAPT::Update::Error-Mode=any", "update"], ["install", *_wanted(recipe)]):
        command = ["apt-get", "--yes", "--quiet", *options, *words]
        environment = _environment(recipe)
        chamber.check_inside(tree, command, log=log, binds=binds, environment=environment, network=True)
    return _newest_package(tree, recipe.epoch)


def _demand_programs_of(architecture: str) -> None:
    """The scripts of packages run while they are installed: by this machine, or by an emulator that it has."""
    try:
        run(["arch-test", architecture])
    except CommandError:
        message = f"programs for {architecture} do not run on this machine, and the packages bring some"
        raise UnavailableError(message, hint="apt-get install qemu-user-static binfmt-support") from None


def _wanted(recipe: MmdebstrapRecipe) -> list[str]:
    return [*(each for each in recipe.packages if each not in recipe.remove), _INITRAMFS_MAKER]


def _command(recipe: MmdebstrapRecipe, tree: Path, sources: Path) -> list[str | Path]:
    packages = ",".join(_wanted(recipe))
    apt = ["--aptopt=APT::Install-Recommends false", "--aptopt=Acquire::Languages none"]
    excludes = [f"--dpkgopt=path-exclude={path}" for path in recipe.exclude]
    options = ["--mode=root", "--variant=minbase", "--format=directory", f"--include={packages}"]
    if recipe.architecture is not None:
        options.append(f"--architectures={recipe.architecture}")
    return [*_ALONE, "mmdebstrap", *options, *apt, *excludes, str(recipe.suite), tree, sources]


def _environment(recipe: MmdebstrapRecipe) -> dict[str, str]:
    # INITRD=No is what kernel hooks of Debian honour to make no initramfs.
    return {"SOURCE_DATE_EPOCH": str(recipe.epoch), "INITRD": "No", "DEBIAN_FRONTEND": "noninteractive"}


def _with_tail(error: CommandError, log: Path) -> CommandError:
    lines = log.read_text(errors="replace").splitlines()[-_TAIL:]
    output = "\n".join(lines) or error.output
    message = f"mmdebstrap failed with status {error.status}; the end of {log}:\n{output}"
    hint = "check that the mirror answers, or name another one with --mirror URL"
    return CommandError(message, status=error.status, output=output, hint=hint)


def _newest_package(tree: Path, fallback: int) -> int:
    """The build time of the newest package: the lists of checksums keep the times of their packages."""
    lists = inside.resolve(tree, "/var/lib/dpkg/info").glob("*.md5sums")
    return max((int(file.lstat().st_mtime) for file in lists), default=fallback)
