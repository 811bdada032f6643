"""Secrets that a command prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.errors import CommandError, ProvisionerError, UnavailableError
from provisioner.operations.secrets import output_of

pytestmark = pytest.mark.integration


def test_what_a_command_prints_is_taken_to_the_byte() -> None:
    assert output_of(r"printf 'two words\377\n'") == b"two words\xff\n"


def test_no_shell_reads_the_command() -> None:
    assert output_of("echo '$HOME' ; id") == b"$HOME ; id\n"


def test_a_command_that_fails_is_told_without_what_it_printed(tmp_path: Path) -> None:
    script = tmp_path / "vault"
    script.write_text("#!/bin/sh\necho tiger\necho no access >&2\nexit 3\n")
    script.chmod(0o755)

    with pytest.raises(CommandError, match="status 3") as caught:
        output_of(str(script))

    assert "no access" in caught.value.message
    assert "tiger" not in f"{caught.value.message} {caught.value.output}"


@pytest.mark.parametrize(
    ("command", "error"),
    [("", ProvisionerError), ("echo 'open", ProvisionerError), ("/nonexistent/vault", UnavailableError)],
)
def test_a_command_that_cannot_be_run_is_an_error(command: str, error: type[ProvisionerError]) -> None:
    with pytest.raises(error):
        output_of(command)
