"""Programs of this machine that install into a tree: what they find there, and what is left."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile

import psutil
import pytest

from provisioner.errors import CommandError, UnavailableError
from provisioner.image import installroot
from tests.support.realsite import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.root]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    installroot.prepare(tmp_path / "tree")
    return tmp_path / "tree"


def run_for(tree: Path, script: str) -> str:
    with TemporaryFile() as output:
        installroot.run_for(tree, ["sh", "-ec", script], output=output, environment={"TREE": str(tree)})
        output.seek(0)
        return output.read().decode()


def test_a_program_finds_devices_and_processes_in_the_tree_and_leaves_none(tree: Path) -> None:
    script = 'echo gone > "$TREE/dev/null"; test -c "$TREE/dev/null"; test -d "$TREE/proc/1"; echo > "$TREE/run/x"'

    run_for(tree, script)

    assert [list((tree / name).iterdir()) for name in ("dev", "proc", "run", "sys", "tmp")] == [[]] * 5
    assert str(tree) not in Path("/proc/self/mountinfo").read_text()


def test_what_a_program_writes_into_the_tree_itself_stays(tree: Path) -> None:
    run_for(tree, 'echo kept > "$TREE/file"')

    assert (tree / "file").read_text() == "kept\n"


def test_a_program_that_fails_is_an_error_with_its_status(tree: Path) -> None:
    with pytest.raises(CommandError) as caught:
        run_for(tree, "echo no luck >&2; exit 3")

    assert (caught.value.status, caught.value.output) == (3, "no luck")


def test_a_program_that_is_not_there_is_named(tree: Path) -> None:
    with pytest.raises(UnavailableError, match="no-such-program"):
        installroot.run_for(tree, ["no-such-program"], output=BytesIO())


def test_a_program_dies_with_its_caller_and_leaves_no_mount(tree: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from provisioner.image import installroot
tree = Path({str(tree)!r})
installroot.run_for(tree, ["sh", "-c", "touch {tree}/started; sleep 600; true"], output=sys.stdout.buffer)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.DEVNULL) as caller:
        wait_until((tree / "started").exists, "the program to start", 60)
        caller.kill()

    wait_until(lambda: not running(tree), "the program to end", 60)
    assert str(tree) not in Path("/proc/self/mountinfo").read_text()


def running(tree: Path) -> list[int]:
    return [
        each.pid for each in psutil.process_iter(["cmdline"]) if str(tree) in " ".join(each.info["cmdline"] or [])
    ]
