"""What came of the test of a generation: one small file beside its record, replaced by the next test."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError

from provisioner.config.paths import Paths
from provisioner.host.files import write_atomically
from provisioner.model.image import Generation, Record


class Tested(Record):
    """A generation was booted as a node. `time` is Unix seconds, `seconds` from power-on to `state`.

    `console` is the end of the serial line where it was not ready.
    """

    generation: str
    node: str
    group: str = ""
    firmware: str
    time: float
    by: str
    state: str
    reason: str = ""
    seconds: float
    facts: dict[str, str] = Field(default_factory=dict)
    console: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the node got ready."""
        return self.state == "ready"

    @property
    def words(self) -> str:
        """The result in a few words."""
        if self.passed:
            return f"ready after {self.seconds:.0f} s as {self.node}"
        return f"{self.state} as {self.node}" + (f": {self.reason}" if self.reason else "")


def keep(paths: Paths, generation: Generation, result: Tested) -> None:
    """Write a result for everybody to see."""
    place = _place(paths, generation)
    place.parent.mkdir(exist_ok=True)
    place.parent.chmod(0o755)
    write_atomically(place, result.model_dump_json(indent=2).encode() + b"\n")


def last(paths: Paths, generation: Generation) -> Tested | None:
    """The result of the last test; None for a generation that was not tested, or whose result cannot be read."""
    try:
        return Tested.model_validate_json(_place(paths, generation).read_bytes())
    except (OSError, ValidationError):
        return None


def _place(paths: Paths, generation: Generation) -> Path:
    return paths.images / "images" / generation.image / "tests" / f"{generation.number}.json"
