"""Host keys taken from machines: real key files of ssh-keygen, through a real shell, as a node would send them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.operations.hostkeys import from_folder, over_ssh, take
from provisioner.trust.importedkeys import ImportedKeys

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The /etc/ssh of n001, with keys as ssh-keygen makes them, in old PEM too."""
    folder = tmp_path_factory.mktemp("nodes") / "n001"
    folder.mkdir()
    for kind, more in (("ed25519", ()), ("ecdsa", ("-m", "PEM")), ("rsa", ("-b", "2048", "-m", "PEM"))):
        file = folder / f"ssh_host_{kind}_key"
        command = ["ssh-keygen", "-q", "-N", "", "-t", kind, *more, "-f", file]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return folder


def shell_on(machine: Path) -> str:
    """A command in the place of ssh: a shell whose /etc/ssh is the machine's."""
    script = f'cd "{machine}" && eval "$(printf %s "$1" | sed "s|cd /etc/ssh|true|")"'
    return f"sh -c '{script}' sh"


def public(file: Path) -> str:
    done = subprocess.run(["ssh-keygen", "-y", "-f", file], check=True, capture_output=True, text=True)
    return " ".join(done.stdout.split()[:2])


def test_all_keys_of_a_node_are_kept_and_ssh_keygen_agrees(tmp_path: Path, machine: Path) -> None:
    paths = Paths.below(tmp_path)
    paths.state.mkdir()

    (taken,) = take(paths, ["n001"], over_ssh(shell_on(machine)))

    assert (taken.reason, sorted(taken.kinds)) == ("", ["ecdsa", "ed25519", "rsa"])
    kept = ImportedKeys(paths.keys).of("n001")
    for kind, key in kept.items():
        assert key.public == public(machine / f"ssh_host_{kind}_key")
        assert public(paths.keys / "hosts" / "n001" / f"ssh_host_{kind}_key") == key.public


def test_a_folder_of_copies_gives_the_same(tmp_path: Path, machine: Path) -> None:
    paths = Paths.below(tmp_path)
    paths.state.mkdir()

    outcomes = take(paths, ["n001", "n002"], from_folder(machine.parent))

    assert [(each.node, sorted(each.kinds), each.reason) for each in outcomes] == [
        ("n001", ["ecdsa", "ed25519", "rsa"], ""),
        ("n002", [], "it has no host keys"),
    ]
    assert not (paths.keys / "hosts" / "n002").exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("sh -c 'exit 255'", "failed with status 255"),
        ("sh -c 'echo hello'", "sent no archive"),
        ("sh -c 'head -c 2000000 /dev/zero'", "at most 1048576 are taken"),
        ("no-such-program {node}", "is not installed"),
    ],
)
def test_a_node_that_does_not_answer_with_keys_keeps_what_it_had(tmp_path: Path, command: str, words: str) -> None:
    paths = Paths.below(tmp_path)
    paths.state.mkdir()

    (taken,) = take(paths, ["n001"], over_ssh(command))

    assert words in taken.reason
    assert not (paths.keys / "hosts").exists()


def test_an_archive_with_links_and_other_paths_gives_nothing(tmp_path: Path) -> None:
    paths, evil = Paths.below(tmp_path / "site"), tmp_path / "evil"
    paths.state.mkdir(parents=True)
    evil.mkdir()
    (evil / "ssh_host_rsa_key").symlink_to("/etc/shadow")
    (evil / "ssh_host_ed25519_key").mkdir()

    (taken,) = take(paths, ["n001"], over_ssh(shell_on(evil)))

    assert taken.reason == "it has no host keys"


def test_a_node_whose_keys_cannot_be_used_does_not_cost_the_others_theirs(tmp_path: Path, machine: Path) -> None:
    paths, copies = Paths.below(tmp_path / "site"), tmp_path / "copies"
    paths.state.mkdir(parents=True)
    shutil.copytree(machine, copies / "n001")
    for node, content in (("n002", b"\xff\n"), ("n003", b"")):
        shutil.copytree(machine, copies / node)
        with (copies / node / "ssh_host_rsa_key").open("ab") as stream:
            stream.write(content)
    (copies / "n003" / "ssh_host_ecdsa_key").unlink()
    (copies / "n003" / "ssh_host_ecdsa_key").mkdir()

    outcomes = {each.node: each for each in take(paths, ["n001", "n002", "n003"], from_folder(copies))}

    assert outcomes["n001"].reason == ""
    assert outcomes["n002"].reason.endswith("n002/ssh_host_rsa_key holds more than a private key")
    assert outcomes["n003"].reason.endswith("n003/ssh_host_ecdsa_key: Is a directory")
    assert ImportedKeys(paths.keys).of("n002") == {}
