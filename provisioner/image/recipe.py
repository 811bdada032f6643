"""Recipes: the folder images/NAME/ with a recipe.yaml, of the site or shipped; the site's wins."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from provisioner.config import marked
from provisioner.config.decode import locate
from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, NotFoundError, Problem
from provisioner.host.files import digest_of

Word = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9+.-]{0,63}$")]
Unit = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9:_.@\\-]{0,127}$")]
Excluded = Annotated[str, Field(pattern=r"^/[A-Za-z0-9/_.*?-]{1,255}$")]

FILE = "recipe.yaml"


class Recipe(BaseModel):
    """How an image is made with mmdebstrap.

    `date` is what the tools take for today, so that a rebuild differs only where packages do. `exclude` are
    paths that no package installs, stars allowed; `mask` are systemd units that never start.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["mmdebstrap"]
    suite: Word
    date: date
    packages: tuple[Word, ...]
    exclude: tuple[Excluded, ...] = ()
    mask: tuple[Unit, ...] = ()

    @property
    def epoch(self) -> int:
        """The date as Unix seconds."""
        return int(datetime(self.date.year, self.date.month, self.date.day, tzinfo=UTC).timestamp())


def find(paths: Paths, name: str) -> Path:
    """The file of a recipe; NotFoundError names the recipes that there are."""
    folders = [paths.site / "images", paths.data / "images"]
    for folder in folders:
        if (folder / name / FILE).is_file() and "/" not in name:
            return folder / name / FILE
    known = sorted({file.parent.name for folder in folders for file in folder.glob(f"*/{FILE}")})
    raise NotFoundError(f"there is no recipe {name}", hint=f"recipes: {', '.join(known) or 'none'}")


def load(file: Path) -> Recipe:
    """The recipe in a file; ConfigError with every mistake and its line."""
    document = marked.parse(str(file), file.read_text(encoding="utf-8", errors="replace"))
    if document.problems or document.root is None:
        raise ConfigError(document.problems or [Problem(str(file), 0, 0, "the recipe is empty")])
    try:
        return Recipe.model_validate(marked.plain(document.root))
    except ValidationError as error:
        details = error.errors(include_url=False)
    problems = []
    for detail in details:
        place = locate(document.root, detail["loc"], document.root.span)
        where = ".".join(map(str, detail["loc"]))
        problems.append(Problem(str(file), place.line, place.column, f"{where}: {detail['msg']}"))
    raise ConfigError(problems)


def digest(file: Path) -> str:
    """What a generation remembers of the recipe that it was made by."""
    return digest_of(file)
