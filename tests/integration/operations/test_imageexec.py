"""Programs in an image: what they leave becomes a generation, and nothing that is stored ever changes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from provisioner.cli.main import prov
from provisioner.config.paths import Paths
from provisioner.errors import CommandError, ConflictError, NotFoundError
from provisioner.image import store
from provisioner.image.scratch import workspace
from provisioner.model.image import Generation
from provisioner.operations.imageexec import Executed, Room, exec_image, look, shell_of
from tests.support import baseimage, busybox
from tests.support.terminal import Terminal

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("busybox")]

# Where the cursor is: busybox asks the terminal after every prompt.
_ASKS = "\x1b[6n"
QUIET = Room(interactive=False)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.below(tmp_path / "site")


@pytest.fixture
def base(paths: Paths) -> Generation:
    return baseimage.make(paths)


def run(paths: Paths, script: str, *, keep: bool = False, reference: str = "tiny", note: str = "") -> Executed:
    return exec_image(paths, reference, ["sh", "-c", script], QUIET, keep=keep, note=note)


def tree_of(paths: Paths, generation: Generation) -> Path:
    return store.tree_path(paths, generation.tree)


def test_what_a_command_changes_is_a_new_generation_with_its_story(paths: Paths, base: Generation) -> None:
    before = busybox.everything(tree_of(paths, base))

    done = run(paths, "echo site > /etc/motd; rm /etc/munge.hard", note="a motd")

    assert done.status == 0
    assert done.made is not None
    made = done.made.generation
    assert (made.name, made.parent, made.note) == ("tiny@2", "tiny@1", "a motd")
    assert (made.origin.kind, made.origin.reference) == (
        "command",
        "sh -c 'echo site > /etc/motd; rm /etc/munge.hard'",
    )
    assert (tree_of(paths, made) / "etc/motd").read_text() == "site\n"
    assert not (tree_of(paths, made) / "etc/munge.hard").exists()
    assert busybox.everything(tree_of(paths, base)) == before
    assert store.catalogue(paths).current == {"tiny": 2}


def test_a_copy_has_everything_that_the_tree_has(paths: Paths, base: Generation) -> None:
    done = run(paths, "touch /etc/new; rm /etc/new; true")

    assert done.made is not None
    assert not done.made.is_new
    assert done.made.generation == base


def test_a_command_that_fails_makes_nothing(paths: Paths, base: Generation) -> None:
    done = run(paths, "echo half > /etc/motd; exit 3")

    assert done == Executed(3, None)
    assert store.catalogue(paths).current == {"tiny": 1}
    assert list((paths.images / "tmp").iterdir()) == []


def test_a_command_that_fails_makes_a_generation_if_it_must(paths: Paths, base: Generation) -> None:
    done = run(paths, "echo half > /etc/motd; exit 3", keep=True)

    assert done.status == 3
    assert done.made is not None
    assert done.made.generation.name == "tiny@2"


def test_a_command_that_is_not_there_makes_nothing(paths: Paths, base: Generation) -> None:
    with pytest.raises(CommandError, match="cannot run dnf in the image"):
        exec_image(paths, "tiny", ["dnf", "upgrade"], QUIET)

    assert store.catalogue(paths).current == {"tiny": 1}


def test_an_older_generation_can_be_changed_too(paths: Paths, base: Generation) -> None:
    run(paths, "echo 2 > /etc/two")

    done = run(paths, "echo 3 > /etc/three", reference="tiny@1")

    assert done.made is not None
    made = done.made.generation
    assert (made.name, made.parent) == ("tiny@3", "tiny@1")
    assert not (tree_of(paths, made) / "etc/two").exists()


def test_the_same_command_on_the_same_generation_makes_the_same_tree(paths: Paths, base: Generation) -> None:
    first, second = (run(paths, "echo 2 > /etc/two", reference="tiny@1").made for _ in range(2))

    assert first is not None
    assert second is not None
    assert second.generation == first.generation
    assert not second.is_new


def test_an_image_is_changed_by_one_at_a_time(paths: Paths, base: Generation) -> None:
    with workspace(paths, "tiny"), pytest.raises(ConflictError, match="being built already"):
        run(paths, "true")


def test_a_look_changes_nothing_and_leaves_nothing(paths: Paths, base: Generation) -> None:
    before = busybox.everything(tree_of(paths, base))

    assert look(paths, "tiny", ["sh", "-c", "test -f /etc/passwd && ! touch /etc/new"], QUIET) == 0
    assert look(paths, "tiny", ["sh", "-c", "exit 4"], QUIET) == 4

    assert busybox.everything(tree_of(paths, base)) == before
    assert list((paths.images / "tmp").iterdir()) == []


def test_the_shell_is_the_one_that_there_is(paths: Paths, base: Generation) -> None:
    assert shell_of(paths, "tiny") == ("/bin/sh", "-l")


def test_an_image_that_is_not_there_is_named(paths: Paths, base: Generation) -> None:
    with pytest.raises(NotFoundError, match="no image huge"):
        run(paths, "true", reference="huge")


def test_the_command_line_ends_as_the_command_does(paths: Paths, base: Generation) -> None:
    root = ["--root", str(paths.site), "image"]
    failed = CliRunner().invoke(prov, [*root, "exec", "tiny", "sh", "-c", "exit 9"])
    changed = CliRunner().invoke(prov, [*root, "exec", "--keep", "tiny", "--note", "n", "--", "touch", "/etc/new"])
    looked = CliRunner().invoke(prov, [*root, "exec", "--read-only", "tiny", "test", "-e", "/etc/new"])
    shell = CliRunner().invoke(prov, [*root, "shell", "--read-only", "--note", "n", "tiny"])

    assert (failed.exit_code, changed.exit_code, looked.exit_code, shell.exit_code) == (9, 0, 0, 2)
    assert "nothing is made" in failed.output
    assert "tiny@2 is made and current" in changed.output


def test_a_killed_command_leaves_the_image_as_it_was_and_the_next_one_cleans_up(
    paths: Paths, base: Generation
) -> None:
    words = [
        "--root",
        str(paths.site),
        "image",
        "exec",
        "tiny",
        "sh",
        "-c",
        "touch /etc/half; echo here; sleep 600",
    ]
    command = [sys.executable, "-m", "provisioner", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        process.kill()
        # Nothing that ran inside holds the output open any more.
        assert process.stdout.read() == b""

    assert store.catalogue(paths).current == {"tiny": 1}
    done = run(paths, "test ! -e /etc/half && touch /etc/whole")
    assert done.status == 0
    assert list((paths.images / "tmp").iterdir()) == []


def test_a_person_changes_an_image_in_a_shell(paths: Paths, base: Generation) -> None:
    command = f"{sys.executable} -m provisioner --root {paths.site} image shell tiny --note 'by hand'"

    with Terminal([], cwd=Path.cwd(), environment=dict(os.environ)) as shell:
        printed = shell.run(command, answers=[(_ASKS, "tty; touch /etc/by-hand; exit")])

    assert printed.status == 0, printed
    assert "/dev/console" in printed.text
    made = store.find(paths, "tiny")
    assert (made.name, made.note) == ("tiny@2", "by hand")
    assert (tree_of(paths, made) / "etc/by-hand").exists()
