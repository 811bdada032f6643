"""The configuration that dnf is run with: nothing of this machine's own is read, and nothing is left behind."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import NotFoundError
from provisioner.image.recipe import DnfRecipe, Repository

ARCHITECTURE = "x86_64"

_LOCAL = "file://"
# Paths that are mounted on during an installation; the package `filesystem` would change their owners.
_MOUNTED = "/proc:/sys:/dev:/run:/tmp"
_DEFAULTS = {
    "assumeyes": "1",
    "best": "1",
    "gpgcheck": "1",
    "install_weak_deps": "0",
    "keepcache": "0",
    "plugins": "0",
    "tsflags": "nodocs",
    "zchunk": "0",
}


@dataclass(frozen=True, slots=True)
class Setup:
    """A folder with everything dnf reads and writes; `seen` is the path that dnf sees it under.

    With `own_repositories` dnf uses those of the image.
    """

    folder: Path
    seen: str
    own_repositories: bool = False

    @property
    def is_inside(self) -> bool:
        """Whether dnf runs in the image."""
        return self.seen != str(self.folder)

    @property
    def words(self) -> list[str]:
        """The options of dnf that every run has: paths given here are not taken for paths of the tree."""
        paths = {"cachedir": "cache", "persistdir": "persist", "modulesdir": "modules"}
        return [
            f"--config={self.seen}/dnf.conf",
            *(f"--setopt={key}={self.seen}/{name}" for key, name in paths.items()),
        ]

    @property
    def home(self) -> str:
        """Where rpm finds its macros."""
        return f"{self.seen}/home"


def write(recipe: DnfRecipe, setup: Setup, *, logs: Path | str) -> tuple[str, ...]:
    """Write the configuration of a recipe, and return the binds that local repositories need where dnf is inside.

    NotFoundError for a local repository or key that is not there.
    """
    for name in ("cache", "home", "keys", "modules", "persist", "plugins", "repos", "vars"):
        (setup.folder / name).mkdir(parents=True, exist_ok=True)
    binds: list[str] = []
    for name, each in recipe.repositories.items() if not setup.own_repositories else ():
        address, bind = _address(name, each, recipe, setup)
        binds += [bind] if bind else []
        text = "\n".join(_section(name, each, address, _key(name, each, recipe, setup)))
        (setup.folder / "repos" / f"{name}.repo").write_text(text + "\n")
    (setup.folder / "dnf.conf").write_text("\n".join(_main(recipe, setup, logs)) + "\n")
    # The image's own rpm knows where its database is.
    macros = {"_netsharedpath": _MOUNTED, **({} if setup.is_inside else {"_dbpath": recipe.rpmdb.path})}
    (setup.folder / "home" / ".rpmmacros").write_text(
        "".join(f"%{key} {value}\n" for key, value in macros.items())
    )
    return tuple(binds)


def _main(recipe: DnfRecipe, setup: Setup, logs: Path | str) -> Iterator[str]:
    places = {"logdir": str(logs), "varsdir": f"{setup.seen}/vars"}
    places |= {"pluginpath": f"{setup.seen}/plugins", "pluginconfpath": f"{setup.seen}/plugins"}
    if not setup.own_repositories:
        places["reposdir"] = f"{setup.seen}/repos"
    yield "[main]"
    yield from (f"{key}={value}" for key, value in {**_DEFAULTS, **recipe.options, **places}.items())


def _section(name: str, repository: Repository, address: tuple[str, str], key: str | None) -> Iterator[str]:
    yield f"[{name}]"
    yield f"name={name}"
    yield "=".join(address)
    yield f"gpgcheck={int(repository.gpgcheck)}"
    if key is not None:
        yield f"gpgkey={key}"


def _address(name: str, repository: Repository, recipe: DnfRecipe, setup: Setup) -> tuple[tuple[str, str], str]:
    """The option that says where a repository is, and the bind that makes it seen inside, if it needs one."""
    kind = next(each for each in ("baseurl", "mirrorlist", "metalink") if getattr(repository, each))
    url = _mirrored(str(getattr(repository, kind)), recipe)
    if not url.startswith(_LOCAL):
        return (kind, url), ""
    path = url.removeprefix(_LOCAL).replace("$releasever", str(recipe.release)).replace("$basearch", ARCHITECTURE)
    if not Path(path).is_dir():
        raise NotFoundError(f"there is no repository {path}", hint=f"--repo {name}=URL names another one")
    if not setup.is_inside:
        return (kind, f"{_LOCAL}{path}"), ""
    return (kind, f"{_LOCAL}{setup.seen}/local/{name}"), f"{path}:{setup.seen}/local/{name}:ro"


def _key(name: str, repository: Repository, recipe: DnfRecipe, setup: Setup) -> str | None:
    """The address of a repository's key; one of this machine is copied to where dnf sees it."""
    if repository.gpgkey is None:
        return None
    url = _mirrored(repository.gpgkey, recipe)
    if not url.startswith(_LOCAL):
        return url
    path = Path(url.removeprefix(_LOCAL))
    if not path.is_file():
        raise NotFoundError(f"there is no key {path}", hint="--key FILE names the key of the packages")
    shutil.copyfile(path, setup.folder / "keys" / name)
    return f"{_LOCAL}{setup.seen}/keys/{name}"


def _mirrored(url: str, recipe: DnfRecipe) -> str:
    return url.replace("$mirror", (recipe.mirror or "").rstrip("/"))
