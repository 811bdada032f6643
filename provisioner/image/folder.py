"""The folder of one image: its records, the current number, its marks and its journal. Nothing here locks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from provisioner.config.paths import Paths
from provisioner.errors import IntegrityError
from provisioner.host.files import sync_directory, write_atomically
from provisioner.image import journal, tags
from provisioner.image.journal import Entry
from provisioner.image.tags import Marks
from provisioner.model.image import Generation


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """Where the records of one image lie, whether there are any or not."""

    path: Path

    @classmethod
    def of(cls, paths: Paths, name: str) -> ImageFolder:
        """The folder of the image with a name."""
        return cls(paths.images / "images" / name)

    @classmethod
    def all(cls, paths: Paths) -> Iterator[ImageFolder]:
        """The folders of all images, sorted by name."""
        for path in sorted((paths.images / "images").glob("*/")):
            yield cls(path)

    @property
    def name(self) -> str:
        """The name of the image."""
        return self.path.name

    def generations(self) -> dict[int, Generation]:
        """The generations by number, in order. The folder says what they are called, so that it can be renamed."""
        found = [record for file in self._records() if (record := _record(file, self.name))]
        return {each.number: each for each in sorted(found, key=lambda one: one.number)}

    def current(self) -> int | None:
        """The number that the bare name means; None when the first publication was cut short."""
        file = self.path / "current"
        try:
            return int(file.read_text())
        except FileNotFoundError:
            return None
        except ValueError:
            hint = f"write the number of a generation in {self.path / 'generations'} into it"
            raise IntegrityError(f"{file} does not hold the number of a generation", hint=hint) from None

    def marks(self) -> Marks:
        """The tags and pins."""
        return tags.read(self.path)

    def history(self) -> tuple[Entry, ...]:
        """What was done, oldest first."""
        return journal.read(self.path / "journal.jsonl")

    def next_number(self) -> int:
        """A number that no generation of this name ever had: boots of long ago name them."""
        known = [int(file.stem) for file in self._records()]
        known += [entry.number for entry in self.history() if entry.number]
        return max(known, default=0) + 1

    def prepare(self) -> None:
        """Make the folder, readable for the daemon."""
        for each in (self.path, self.path / "generations"):
            each.mkdir(exist_ok=True)
            each.chmod(0o755)

    def add(self, generation: Generation) -> None:
        """Write a new record."""
        record = generation.model_dump_json(indent=2).encode() + b"\n"
        write_atomically(self.path / "generations" / f"{generation.number}.json", record)

    def point(self, number: int) -> None:
        """Make a generation the current one."""
        write_atomically(self.path / "current", b"%d\n" % number)

    def mark(self, marks: Marks) -> None:
        """Replace the tags and pins."""
        tags.write(self.path, marks)

    def forget(self, number: int) -> None:
        """Remove a record, lastingly."""
        (self.path / "generations" / f"{number}.json").unlink(missing_ok=True)
        sync_directory(self.path / "generations")

    def note(self, what: str, number: int | None = None, *, before: int | None = None, detail: str = "") -> None:
        """Add to the journal (`journal.Entry`)."""
        journal.append(self.path / "journal.jsonl", what, number, before=before, detail=detail)

    def _records(self) -> list[Path]:
        # Copies that somebody made beside them, such as 3-old.json, are none.
        found = (self.path / "generations").glob("[0-9]*.json")
        return [file for file in found if file.stem.isascii() and file.stem.isdecimal()]


def _record(file: Path, name: str) -> Generation | None:
    """The record in a file; None when it was removed just now."""
    try:
        return Generation.model_validate_json(file.read_bytes()).model_copy(update={"image": name})
    except FileNotFoundError:
        return None
    except ValidationError as error:
        hint = "restore the file from a backup, or remove it to forget the generation"
        raise IntegrityError(
            f"{file} is no record of a generation: {error.errors()[0]['msg']}", hint=hint
        ) from None
