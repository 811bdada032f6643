"""The command reference is what the commands say today.

In a process of its own: click remembers how a command was first asked for its help.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

CHECKOUT = Path(__file__).resolve().parents[3]


def test_the_reference_says_what_the_commands_say() -> None:
    code = "import runpy, sys; sys.stdout.write(runpy.run_path('packaging/cli-reference.py')['reference']())"
    made = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=CHECKOUT
    ).stdout

    assert (CHECKOUT / "docs" / "cli.md").read_text() == made, "run .venv/bin/python packaging/cli-reference.py"
