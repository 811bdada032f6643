"""Completion in a real bash."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from io import FileIO
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.host.run import run
from provisioner.registry.compiler import current
from tests.support.site import SITE, write_site

pytestmark = [pytest.mark.integration, pytest.mark.needs("bash")]

PROV = Path(sys.executable).with_name("prov")
FILES = {
    "provisioner.yaml": SITE,
    "groups.d/g.yaml": "groups: {compute: , gpu: {groups: [compute]}}\n",
    "nodes.d/n.yaml": "nodes: {'n[001-003]': {groups: [gpu]}, login: }\n",
    "overlays/motd2/rootfs/etc/motd": "hello\n",
}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = write_site(tmp_path, FILES)
    (paths.images / "images" / "rocky-9").mkdir(parents=True)
    with current(paths):
        return paths


def complete(paths: Paths, line: str) -> list[str]:
    """What bash offers behind a line, as whole words."""
    script = run([PROV, "completion", "bash"])
    ask = f"COMP_LINE='{line}'; COMP_POINT={len(line)}; COMP_WORDBREAKS=' '; _prov_completion {PROV}"
    done = subprocess.run(
        ["bash", "--norc", "-c", f'compopt() {{ :; }}\n{script}\n{ask}\nprintf "%s\\n" "${{COMPREPLY[@]}}"'],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PROVISIONER_ROOT": str(paths.site)},
    )
    assert done.stderr == ""
    return done.stdout.split()


def typed(paths: Paths, line: str) -> str:
    """What stands in the line of a bash at a terminal once somebody has typed this and pressed TAB."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update({"PROVISIONER_ROOT": str(paths.site), "PATH": f"{PROV.parent}:{os.environ['PATH']}"})
        os.environ.update({"TERM": "dumb", "INPUTRC": "/dev/null"})
        os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
    with os.fdopen(terminal, "r+b", buffering=0) as stream:
        stream.write(b"PS1='> '; stty cols 200; source <(prov completion bash); echo rea''dy\n")
        _read_until(stream, b"ready\r\n> ")
        # The hash begins a comment, so that nothing is run, and shows that the answer is complete.
        stream.write(f"{line}\t#\n".encode())
        shown = _read_until(stream, b"#\r\n")
        stream.write(b"exit\n")
    os.waitpid(child, 0)
    return _drawn(shown.decode())


def _read_until(stream: FileIO, end: bytes) -> bytes:
    found = b""
    while not found.endswith(end):
        found += stream.read(1) or b""
    return found


def _drawn(shown: str) -> str:
    """What a terminal shows after these characters, up to the hash."""
    line: list[str] = []
    for char in shown.partition("#")[0]:
        if char == "\b":
            line.pop()
        elif char.isprintable():
            line.append(char)
    return "".join(line)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("nod", ["node"]),
        ("node re", ["rename"]),
        ("node show n", ["n001", "n002", "n003"]),
        ("node delete login,n001", ["login,n001"]),
        ("node set n001,n00", ["n001,n001", "n001,n002", "n001,n003"]),
        ("node list @c", ["@compute"]),
        ("node list n001!@g", ["n001!@gpu"]),
        ("node set n001 --image r", ["rocky-9"]),
        ("node set n001 --system-overlay motd", ["motd2"]),
        ("node set n001 --runtime-overlay hostn", ["hostname"]),
        ("group show ", ["compute", "gpu"]),
        ("node set n001 kernel.", ["kernel.args=", "kernel.version="]),
        ("node set n001 image=ro", ["image=rocky-9"]),
        ("node set n001 groups+=g", ["groups+=gpu"]),
        ("node unset n001 interfaces.ib0.mt", ["interfaces.ib0.mtu"]),
        ("node set n001 --image=", ["rocky-9"]),
        ("image show r", ["rocky-9"]),
        ("overlay show motd", ["motd2"]),
        ("node list --fields name,tag", ["name,tags"]),
        ("node list --where !dom", ["!domain"]),
        ("plan --since zz", []),
    ],
)
def test_a_shell_offers_what_there_is(paths: Paths, line: str, offered: list[str]) -> None:
    assert sorted(complete(paths, f"prov {line}")) == offered


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("prov node ren", "prov node rename "),
        ("prov node list @com", "prov node list @compute "),
        ("prov node list n001,@com", "prov node list n001,@compute "),
        ("prov node set n001 groups=com", "prov node set n001 groups=compute "),
        ("prov node set n001 --group=com", "prov node set n001 --group=compute "),
        ("prov node set n001 kernel.ar", "prov node set n001 kernel.args="),
        ("prov node show nothing", "prov node show nothing"),
    ],
)
def test_a_person_at_a_terminal_gets_whole_words(paths: Paths, line: str, shown: str) -> None:
    assert typed(paths, line) == shown


@pytest.mark.parametrize("line", ["prov node show n", "prov node set n1 --image ", "prov group show "])
def test_a_site_that_is_not_there_or_broken_offers_nothing_and_says_nothing(tmp_path: Path, line: str) -> None:
    paths = Paths.below(tmp_path / "nowhere")
    assert complete(paths, line) == []

    paths.snapshots.mkdir(parents=True)
    (paths.snapshots / f"{'0' * 64}.sqlite").write_bytes(b"SQLite format 3\0 and then nothing that makes sense")
    assert complete(paths, line) == []


def test_overlays_are_offered_where_the_site_has_none_of_its_own(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {"provisioner.yaml": SITE})

    assert complete(paths, "prov node set n1 --system-overlay hostn") == ["hostname"]


def test_changes_and_revisions_are_offered_once_there_are_some(paths: Paths) -> None:
    run([PROV, "--root", str(paths.site), "node", "set", "n001", "comment=x", "--yes"])

    (revision, *_) = complete(paths, "prov plan --since ")
    assert complete(paths, "prov undo ") == complete(paths, "prov history show ") == ["1"]
    assert complete(paths, f"prov plan --since {revision[:6]}") == [revision]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_script(shell: str) -> None:
    assert "_PROV_COMPLETE" in run([PROV, "completion", shell])
