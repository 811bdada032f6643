"""Build an image by a recipe: from packages alone, or on top of an image that is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.errors import ProvisionerError
from provisioner.host.run import run
from provisioner.image import apt, buildah, dnf, inside, mmdebstrap, recipe, store
from provisioner.image.build import Obtained, build
from provisioner.image.finish import exclude, finish
from provisioner.image.recipe import (
    AnyRecipe,
    ContainerfileRecipe,
    DnfRecipe,
    MmdebstrapRecipe,
    Repository,
    Resolved,
)
from provisioner.model.image import Generation, Origin, Packing
from provisioner.operations.imagemade import Made, served

Say = Callable[[str], None]

_REPOSITORIES = "/etc/yum.repos.d"


@dataclass(frozen=True, slots=True)
class Places:
    """Where to take things from instead of where the recipe says.

    `mirror` is an archive of Debian, or what $mirror stands for in a recipe of dnf. `repositories` are URLs by
    their names in the recipe, and `key` is the file or URL of the key that their packages are signed with. `base`
    is the container that a Containerfile starts from, as buildah names it.
    """

    mirror: str | None = None
    repositories: Mapping[str, str] | None = None
    key: str | None = None
    base: str | None = None


@dataclass(frozen=True, slots=True)
class _Job:
    """One build: the recipe, the generation to start from, where things are, the log, and who hears of steps."""

    resolved: Resolved
    start: Generation | None
    tree_of_start: Path | None
    places: Places
    log: Path
    say: Say


def build_image(
    paths: Paths,
    name: str,
    *,
    image: str | None = None,
    start: str | None = None,
    places: Places | None = None,
    packing: Packing | None = None,
    say: Say = lambda _: None,
) -> Made:
    """Build the recipe with a name into the next generation of `image` (the recipe's name when None).

    `start` is an image of the store to build on, in place of the recipe's base. `packing` goes before what the
    recipe says of kernel and drivers. Raises NotFoundError for a recipe, base, repository or kernel that is not
    there, ConfigError for mistakes in the recipe, and CommandError with the end of the log when a program fails.
    """
    image = store.check_name(image or name)
    resolved = recipe.resolve(paths, name)
    begun = start or resolved.image
    generation = store.find(paths, begun) if begun is not None else None
    tree = store.tree_path(paths, generation.tree) if generation is not None else None
    log = paths.images / "logs" / f"{image}.log"
    job = _Job(resolved, generation, tree, places or Places(), log, say)
    wanted = _packing(resolved.recipe, packing or Packing())

    def obtain(folder: Path) -> Obtained:
        epoch, warnings = _fill(job, folder)
        finish(resolved.recipe, folder, log=log)
        _exclude(resolved.recipe, folder)
        origin = Origin(kind="recipe", reference=name, digest=resolved.digest)
        return Obtained(origin, epoch, warnings, parent=generation.name if generation else None)

    return served(paths, build(paths, image, obtain, say=say, packing=wanted))


def _packing(chosen: recipe.Recipe, asked: Packing) -> Packing:
    """What was asked for, with what the recipe adds."""
    drivers = tuple(dict.fromkeys((*chosen.drivers, *asked.drivers)))
    return asked.model_copy(update={"release": asked.release or chosen.kernel or "", "drivers": drivers})


def _fill(job: _Job, tree: Path) -> tuple[int, tuple[str, ...]]:
    """Put packages into a new tree: the time of the newest in Unix seconds, and warnings."""
    work = tree.parent / "packages"
    work.mkdir()
    chosen = job.resolved.recipe
    if isinstance(chosen, MmdebstrapRecipe):
        return _debian(job, chosen, tree, work), ()
    if isinstance(chosen, DnfRecipe):
        done = _enterprise(job, _redirected(chosen, job.places), tree, work)
        return done.newest, done.warnings
    return _container(job, chosen, tree, work)


def _debian(job: _Job, chosen: MmdebstrapRecipe, tree: Path, work: Path) -> int:
    wanted = f"install {len(chosen.packages)} packages of {chosen.suite} and what they need"
    mirror = job.places.mirror
    if job.start is None:
        sources = apt.write(work, apt.sources(str(chosen.suite), mirror=mirror))
        job.say(f"{wanted} (mmdebstrap)")
        return mmdebstrap.make_tree(chosen, tree, sources=sources, log=job.log)
    _copy(job, tree)
    job.say(f"{wanted}, from {mirror}" if mirror else f"{wanted}, from the image's own sources")
    own = apt.write(work, apt.sources(str(chosen.suite), mirror=mirror)) if mirror else None
    return mmdebstrap.add_to_tree(chosen, tree, sources=own, log=job.log)


def _enterprise(job: _Job, chosen: DnfRecipe, tree: Path, work: Path) -> dnf.Installed:
    wanted = f"install {len(chosen.packages)} packages of release {chosen.release} and what they need"
    if job.start is None or job.tree_of_start is None:
        job.say(f"{wanted} (dnf)")
        return dnf.make_tree(chosen, tree, work=work, log=job.log)
    _copy(job, tree)
    own = _has_repositories(tree) and not (job.places.mirror or job.places.repositories)
    job.say(f"{wanted}, from the image's own repositories" if own else wanted)
    return dnf.add_to_tree(chosen, tree, work=work, log=job.log, own_repositories=own)


def _container(job: _Job, chosen: ContainerfileRecipe, tree: Path, work: Path) -> tuple[int, tuple[str, ...]]:
    base = buildah.Base(reference=job.places.base, tree=job.tree_of_start)
    job.say(f"build {job.resolved.name} by its Containerfile (buildah)")
    unpacked = buildah.make_tree(chosen, tree, folder=job.resolved.folder, base=base, work=work, log=job.log)
    return unpacked.newest, unpacked.warnings


def _exclude(chosen: AnyRecipe, tree: Path) -> None:
    # dpkg has left them out from the start, and knows stars that stand for slashes too.
    if not isinstance(chosen, MmdebstrapRecipe):
        for pattern in chosen.exclude:
            exclude(tree, pattern)


def _copy(job: _Job, tree: Path) -> None:
    if job.start is None or job.tree_of_start is None:
        return
    job.say(f"copy the tree of {job.start.name}")
    run(["cp", "--archive", "--reflink=auto", job.tree_of_start, tree], timeout=3600)


def _has_repositories(tree: Path) -> bool:
    return any(
        place.suffix == ".repo" and inside.is_regular(place) for place in inside.children(tree, _REPOSITORIES)
    )


def _redirected(chosen: DnfRecipe, places: Places) -> DnfRecipe:
    """The recipe with the mirror, repositories and key of the command line."""
    found = dict(chosen.repositories)
    for name, url in (places.repositories or {}).items():
        old = found.get(name)
        key = _address(places.key) or (old.gpgkey if old else None)
        if old is None and key is None:
            hint = f"the recipe has {', '.join(found)}; or give the key of its packages with --key"
            raise ProvisionerError(f"there is no repository {name} in the recipe", hint=hint)
        found[name] = Repository(baseurl=url, gpgkey=key, gpgcheck=old.gpgcheck if old else True)
    update = {"repositories": found, "mirror": places.mirror or chosen.mirror}
    return chosen.model_copy(update=update)


def _address(key: str | None) -> str | None:
    """A key's URL; a file of this machine is given by its path alone."""
    return key if key is None or "://" in key else f"file://{Path(key).resolve()}"
