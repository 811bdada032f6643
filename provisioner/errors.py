"""The exceptions that the product raises on purpose.

ProvisionerError
├── ConfigError       what people wrote is wrong; carries every problem at once
├── NotFoundError     a named thing does not exist
├── ConflictError     the thing exists already, or is in use
├── ProtocolError     bytes from the network that are not what their protocol says
├── IntegrityError    a digest or signature does not match
├── CommandError      another program failed
└── UnavailableError  something needed is missing on this machine, or does not answer
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class ProvisionerError(Exception):
    """A failure that a person can act on: `message` says what and where, `hint` what to type."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in a file that people write. Line and column count from 1; 0 means the whole file."""

    file: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """The form that editors jump to: `file:line:column: message`, the hint on a line of its own."""
        place = f"{self.file}:{self.line}:{self.column}"
        return f"{place}: {self.message}" + (f"\n    hint: {self.hint}" if self.hint else "")


class ConfigError(ProvisionerError):
    """Everything that is wrong with a set of files, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class NotFoundError(ProvisionerError):
    """A named thing does not exist."""


class ConflictError(ProvisionerError):
    """The thing exists already, or somebody uses it."""


class ProtocolError(ProvisionerError):
    """Bytes from the network that are not what their protocol says."""


class IntegrityError(ProvisionerError):
    """A digest or signature does not match what it vouches for."""


class CommandError(ProvisionerError):
    """Another program failed; `status` is its exit status, `output` the end of what it printed."""

    def __init__(self, message: str, *, status: int, output: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.output = output


class UnavailableError(ProvisionerError):
    """Something needed is missing on this machine, or does not answer."""
