"""Recipes: the folder images/NAME/ with a recipe.yaml, of the site or shipped; the site's wins.

A recipe may be a layer: `base` names a recipe of the same kind, whose lists it goes on and whose other fields it
may replace, or an image of the store, whose tree it starts from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from datetime import date as Date  # noqa: N812 - a field of every recipe has the name of the type
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from provisioner.config import marked
from provisioner.config.decode import locate
from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, NotFoundError, Problem
from provisioner.host.files import digest_of

Word = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9+.-]{0,63}$")]
Package = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9+._:~*-]{0,127}$")]
Unit = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9:_.@\\-]{0,127}$")]
Excluded = Annotated[str, Field(pattern=r"^/[A-Za-z0-9/_.*?-]{1,255}$")]
Driver = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Text = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=1024)]
Url = Annotated[str, Field(pattern=r"^[^\x00-\x20\x7f]+$", max_length=1024)]
RecipeName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._@:-]{0,80}$")]

FILE = "recipe.yaml"
CONTAINERFILE = "Containerfile"


class _Written(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Repository(_Written):
    """Where dnf finds packages: one of the three addresses, which may hold $releasever, $basearch and $mirror.

    `gpgkey` is the address of the key that signed the packages, or a file beside the recipe. Packages are not
    installed without a good signature, unless `gpgcheck` is false.
    """

    baseurl: Url | None = None
    mirrorlist: Url | None = None
    metalink: Url | None = None
    gpgkey: Url | None = None
    gpgcheck: bool = True

    @model_validator(mode="after")
    def _check(self) -> Self:
        if sum(each is not None for each in (self.baseurl, self.mirrorlist, self.metalink)) != 1:
            raise ValueError("give one of baseurl, mirrorlist and metalink")
        if self.gpgcheck and self.gpgkey is None:
            raise ValueError("give the gpgkey that its packages are signed with, or gpgcheck: false")
        return self


class RpmDatabase(_Written):
    """Where the image's own rpm keeps its database and in which form, where this machine's rpm does otherwise."""

    path: Annotated[str, Field(pattern=r"^(/[a-z0-9_.-]+){1,6}$")] = "/var/lib/rpm"
    form: Literal["sqlite", "bdb"] = "sqlite"


class Recipe(_Written):
    """What all kinds of recipes share.

    `date` is what the tools take for today, so that a rebuild differs only where packages do. `remove` are
    packages that a base names or that come along, and that the image does not get; `exclude` are such paths, stars
    allowed.
    `mask`, `unmask` and `enable` name systemd units. `commands` are run in the finished tree by its own shell.
    Nodes need the kernel modules `drivers` before they have a root: they must be in stage 1. `kernel` is how the
    release of the kernel to boot starts.
    """

    base: RecipeName | None = None
    date: Date | None = None
    packages: tuple[Package, ...] = ()
    remove: tuple[Package, ...] = ()
    exclude: tuple[Excluded, ...] = ()
    mask: tuple[Unit, ...] = ()
    unmask: tuple[Unit, ...] = ()
    enable: tuple[Unit, ...] = ()
    commands: tuple[Text, ...] = ()
    drivers: tuple[Driver, ...] = ()
    kernel: Annotated[str, Field(pattern=r"^[0-9][A-Za-z0-9._+~-]{0,63}$")] | None = None

    @property
    def epoch(self) -> int:
        """The date as Unix seconds."""
        day = self.date or Date(1970, 1, 1)
        return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())

    @property
    def lacks(self) -> tuple[str, ...]:
        """What neither the recipe nor its bases say, and must be said."""
        return () if self.date else ("date",)


class MmdebstrapRecipe(Recipe):
    """An image of Debian, made with mmdebstrap; `architecture` as Debian names it, the machine's own if None."""

    kind: Literal["mmdebstrap"]
    suite: Word | None = None
    architecture: Literal["amd64", "arm64"] | None = None

    @property
    def lacks(self) -> tuple[str, ...]:
        """As in every recipe."""
        return (*super().lacks, *(() if self.suite else ("suite",)))


class DnfRecipe(Recipe):
    """An image of Enterprise Linux or Fedora, made with dnf.

    `release` is what $releasever stands for and `mirror` what $mirror does. `groups` are groups of packages,
    `options` go into the [main] part of dnf.conf.
    """

    kind: Literal["dnf"]
    release: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,32}$")] | None = None
    mirror: Url | None = None
    repositories: Mapping[Word, Repository] = {}
    groups: tuple[Package, ...] = ()
    options: Mapping[Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")], Text] = {}
    rpmdb: RpmDatabase = RpmDatabase()

    @property
    def lacks(self) -> tuple[str, ...]:
        """As in every recipe; without packages there would be an empty image."""
        found = (*super().lacks, *(() if self.release else ("release",)))
        return (*found, *(() if self.repositories else ("repositories",)))


class ContainerfileRecipe(Recipe):
    """An image made by buildah from the Containerfile beside the recipe; `arguments` are its build arguments.

    The Containerfile says `ARG BASE=...` and `FROM ${BASE}`, so that another base can be given.
    """

    kind: Literal["containerfile"]
    arguments: Mapping[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")], Text] = {}


AnyRecipe = MmdebstrapRecipe | DnfRecipe | ContainerfileRecipe
_ANY: TypeAdapter[AnyRecipe] = TypeAdapter(Annotated[AnyRecipe, Field(discriminator="kind")])


@dataclass(frozen=True, slots=True)
class Resolved:
    """A recipe with all of its bases in it.

    `folder` is that of the recipe itself, `digest` stands for the texts of all its parts, and `image` is the
    image of the store that it starts from, if it does.
    """

    name: str
    recipe: AnyRecipe
    folder: Path
    digest: str
    image: str | None = None


def find(paths: Paths, name: str) -> Path:
    """The file of a recipe; NotFoundError names the recipes that there are."""
    for folder in _folders(paths):
        if "/" not in name and (folder / name / FILE).is_file():
            return folder / name / FILE
    raise NotFoundError(f"there is no recipe {name}", hint=f"recipes: {', '.join(names(paths)) or 'none'}")


def names(paths: Paths) -> tuple[str, ...]:
    """All recipes of the site and the package."""
    return tuple(sorted({file.parent.name for folder in _folders(paths) for file in folder.glob(f"*/{FILE}")}))


def load(file: Path) -> AnyRecipe:
    """The recipe in a file, without its bases; ConfigError with every mistake and its line."""
    document = marked.parse(str(file), file.read_text(encoding="utf-8", errors="replace"))
    if document.problems or document.root is None:
        raise ConfigError(document.problems or [Problem(str(file), 0, 0, "the recipe is empty")])
    try:
        return _anchored(_ANY.validate_python(marked.plain(document.root)), file.parent)
    except ValidationError as error:
        details = error.errors(include_url=False)
    problems = []
    for detail in details:
        # The first part says which kind was tried.
        where = detail["loc"][1:]
        place = locate(document.root, where, document.root.span)
        message = ": ".join((*filter(None, [".".join(map(str, where))]), detail["msg"]))
        problems.append(Problem(str(file), place.line, place.column, message))
    raise ConfigError(problems)


def resolve(paths: Paths, name: str) -> Resolved:
    """A recipe with its bases. A base that is no recipe is taken for an image.

    Raises NotFoundError where there is no such recipe, and ConfigError for mistakes, circles included.
    """
    chain = [find(paths, name)]
    merged = load(chain[0])
    while merged.base is not None and merged.base in names(paths) and merged.kind != "containerfile":
        file = find(paths, merged.base)
        if file in chain:
            raise ConfigError([Problem(str(chain[-1]), 0, 0, f"the recipe is a base of itself: {merged.base}")])
        merged = merge(load(file), merged, chain[-1])
        chain.append(file)
    if merged.lacks and merged.kind != "containerfile":
        raise ConfigError([Problem(str(chain[0]), 0, 0, f"the recipe says nothing of {', '.join(merged.lacks)}")])
    return Resolved(name, merged, chain[0].parent, _digest(chain, merged), merged.base)


def merge(base: AnyRecipe, layer: AnyRecipe, file: Path) -> AnyRecipe:
    """A base with a layer on top: lists and tables go on, everything else is replaced."""
    if base.kind != layer.kind:
        message = f"the base {layer.base} is of the kind {base.kind}, and this recipe of the kind {layer.kind}"
        raise ConfigError([Problem(str(file), 0, 0, message)])
    update: dict[str, Any] = {"base": base.base}
    for name in layer.model_fields_set - {"kind", "base"}:
        old, new = getattr(base, name), getattr(layer, name)
        if isinstance(new, tuple):
            new = (*old, *(each for each in new if each not in old))
        elif isinstance(new, Mapping):
            new = {**old, **new}
        update[name] = new
    return base.model_copy(update=update)


def _anchored(recipe: AnyRecipe, folder: Path) -> AnyRecipe:
    """The recipe with keys that lie beside it under their full address."""
    if recipe.kind != "dnf":
        return recipe
    found = {}
    for name, each in recipe.repositories.items():
        beside = each.gpgkey is not None and "://" not in each.gpgkey
        update = {"gpgkey": f"file://{(folder / str(each.gpgkey)).resolve()}"} if beside else {}
        found[name] = each.model_copy(update=update)
    return recipe.model_copy(update={"repositories": found})


def _digest(chain: list[Path], recipe: AnyRecipe) -> str:
    """What a generation remembers of the recipe that it was made by."""
    files = list(chain)
    if recipe.kind == "containerfile":
        files += sorted(each for each in chain[0].parent.rglob("*") if each.is_file() and each != chain[0])
    digests = [digest_of(file) for file in files]
    return digests[0] if len(digests) == 1 else f"sha256:{hashlib.sha256(' '.join(digests).encode()).hexdigest()}"


def _folders(paths: Paths) -> tuple[Path, Path]:
    return paths.site / "images", paths.data / "images"
