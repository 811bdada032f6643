"""Programs run in a real tree: what they may do there, and that nothing of it is left on this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from provisioner.errors import CommandError, NotFoundError, ProvisionerError
from provisioner.image.chamber import check_binds, check_inside, run_inside
from tests.support import busybox
from tests.support.terminal import Terminal

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("busybox")]

_SLEEPER = """
import sys
from pathlib import Path
from provisioner.image.chamber import run_inside
run_inside(Path(sys.argv[1]), ["sh", "-c", "echo here; sleep 600 & sleep 600"], binds=["/usr:/host"])
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return busybox.tree(tmp_path / "tree")


def said(
    tree: Path, script: str, *, binds: tuple[str, ...] = (), network: bool = False, read_only: bool = False
) -> str:
    """What a shell script in the tree prints, which must succeed."""
    log = tree.parent / "log"
    log.unlink(missing_ok=True)
    status = run_inside(tree, ["sh", "-ec", script], binds=binds, network=network, read_only=read_only, log=log)
    assert status == 0, log.read_text()
    return log.read_text()


def _greet(server: socket.socket) -> None:
    with server.accept()[0] as connection:
        connection.sendall(b"hello\n")


def mounts() -> str:
    return Path("/proc/self/mountinfo").read_text()


def test_a_program_changes_the_tree_and_nothing_else(tree: Path) -> None:
    said(tree, "echo new > /etc/file; touch /tmp/gone /run/gone /dev/shm/gone")

    assert (tree / "etc/file").read_text() == "new\n"
    assert [list((tree / name).iterdir()) for name in ("tmp", "run", "dev", "proc", "sys")] == [[]] * 5
    # Other tests mount things of their own meanwhile.
    assert str(tree) not in mounts()


@pytest.mark.parametrize(("script", "status"), [("exit 7", 7), ("true", 0), ("kill -TERM $$", 143)])
def test_the_exit_status_comes_back(tree: Path, script: str, status: int) -> None:
    assert run_inside(tree, ["sh", "-c", script], log=tree.parent / "log") == status


def test_a_program_that_is_not_there_is_named(tree: Path) -> None:
    with pytest.raises(CommandError, match="cannot run dnf in the image: No such file"):
        run_inside(tree, ["dnf"], log=tree.parent / "log")


def test_a_tree_without_folders_to_mount_on_is_as_it_was_afterwards(tmp_path: Path) -> None:
    tree = busybox.tree(tmp_path / "tree", folders=("etc",))
    before = busybox.everything(tree)

    printed = said(tree, "cat /etc/resolv.conf; ls /proc/self/status /dev/null", network=True)

    assert "/dev/null" in printed
    assert busybox.everything(tree) == before


def test_the_program_sees_its_own_processes_and_host_name_only(tree: Path) -> None:
    printed = said(tree, "hostname; ls -d /proc/[0-9]*; cat /proc/self/mounts")

    assert printed.splitlines()[0] == "localhost"
    assert len([line for line in printed.splitlines() if line.startswith("/proc/")]) <= 3
    assert str(tree) not in printed


def test_the_first_process_keeps_the_environment_of_this_machine_to_itself(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_HEAD_NODE", "hush")

    printed = said(tree, "env; cat /proc/*/environ || true")

    assert "PATH=" in printed
    assert "SECRET_OF_THE_HEAD_NODE" not in printed


def test_variables_come_on_top(tree: Path) -> None:
    log = tree.parent / "log"

    run_inside(tree, ["env"], environment={"LANG": "C", "RELEASE": "9"}, log=log)

    assert {"LANG=C", "RELEASE=9"} <= set(log.read_text().splitlines())


@pytest.mark.parametrize(
    "attempt",
    [
        "mount -t tmpfs none /tmp",
        "echo x > /proc/sys/kernel/core_pattern",
        "echo b > /proc/sysrq-trigger",
        "mknod /dev/disk b 1 0",
        "mknod /disk b 1 0 && cat /disk",
        "mknod /tmp/disk b 1 0 && cat /tmp/disk",
        "hostname intruder",
        "ls /proc/1/root/",
        "readlink /proc/1/fd/0",
        "echo x > /sys/kernel/mm/ksm/run",
        "kill -9 1 && sleep 0 && ! kill -0 1",
        "date -s @0; test $(date +%s) -lt 1000",
        "chroot /proc/1/root true",
    ],
)
def test_the_program_cannot_reach_beyond_the_tree(tree: Path, attempt: str) -> None:
    assert run_inside(tree, ["sh", "-c", f"({attempt}) && exit 99; exit 1"], log=tree.parent / "log") == 1


def test_devices_work(tree: Path) -> None:
    script = "echo x > /dev/null; head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; ls /dev/pts/ptmx"

    assert said(tree, script).split() == ["3", "3", "/dev/pts/ptmx"]


def test_packages_may_own_files_as_anybody_and_make_devices(tree: Path) -> None:
    said(tree, "touch /f; chown 12:34 /f; chmod 4755 /f; mknod /node c 1 3; mkdir /d; chmod 1777 /d")

    assert ((tree / "f").stat().st_uid, (tree / "f").stat().st_mode & 0o7777) == (12, 0o4755)
    assert (tree / "node").is_char_device()


def test_without_network_there_is_loopback_and_nothing_else(tree: Path) -> None:
    printed = said(tree, "ip -o link; ping -c 1 -W 5 127.0.0.1 > /dev/null && echo loopback answers")

    assert [line.split(":")[1].strip() for line in printed.splitlines()[:-1]] == ["lo"]
    assert printed.endswith("loopback answers\n")


def test_with_network_a_service_of_this_machine_answers(tree: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        answer = threading.Thread(target=_greet, args=[server])
        answer.start()
        printed = said(tree, f"nc 127.0.0.1 {server.getsockname()[1]} < /dev/null", network=True)
        answer.join()

    assert printed == "hello\n"


def test_a_resolver_that_is_a_link_into_run_is_there_too(tree: Path) -> None:
    (tree / "etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")

    assert said(tree, "cat /etc/resolv.conf", network=True) == Path("/etc/resolv.conf").read_text()
    assert not list((tree / "run").iterdir())


def test_a_bind_is_seen_inside_and_gone_afterwards(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages/a.rpm").write_text("rpm")
    (tmp_path / "repo").write_text("[repo]\n")
    binds = (f"{tmp_path}/packages:/mnt/a/b", f"{tmp_path}/repo:/etc/repo:ro")

    printed = said(tree, "cat /mnt/a/b/a.rpm /etc/repo; touch /mnt/a/b/new; ! touch /etc/repo", binds=binds)

    assert printed.startswith("rpm[repo]\n")
    assert (tmp_path / "packages/new").exists()
    assert not (tree / "mnt").exists()
    assert not (tree / "etc/repo").exists()


@pytest.mark.parametrize("way", ["/way/out", "/../../../../../{tmp}/out", "/run/../way/out"])
def test_a_bind_never_leads_out_of_the_tree(tree: Path, tmp_path: Path, way: str) -> None:
    (tmp_path / "source").mkdir()
    (tree / "way").symlink_to(tmp_path)

    said(tree, "true", binds=(f"{tmp_path}/source:{way.format(tmp=tmp_path)}",))

    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("below", ["missing", "link/made"])
def test_a_bind_in_another_one_needs_its_place_on_this_machine(tree: Path, tmp_path: Path, below: str) -> None:
    outer, elsewhere = tmp_path / "outer", tmp_path / "elsewhere"
    (outer / "there").mkdir(parents=True)
    elsewhere.mkdir()
    (outer / "link").symlink_to(elsewhere)
    binds = (f"{outer}:/mnt", f"{elsewhere}:/mnt/{below}")

    with pytest.raises(ProvisionerError, match=f"/mnt/{below} lies in another bind"):
        check_binds(tree, binds, network=False)

    check_binds(tree, (binds[0], f"{outer}:/mnt/there"), network=False)


def test_a_link_that_the_program_puts_into_a_path_is_not_followed_afterwards(tree: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "empty").touch()
    (mine / "folder").mkdir()
    os.utime(mine, (5, 5))
    binds = (f"{busybox.tree(tmp_path / 'other')}:/opt/folder", "/etc/passwd:/opt/empty:ro")

    said(tree, f"mv /opt /gone; ln -s {mine} /opt", binds=binds)

    assert sorted(each.name for each in mine.iterdir()) == ["empty", "folder"]
    assert mine.stat().st_mtime == 5


@pytest.mark.parametrize(
    "text", ["/srv", "srv:/mnt", "/srv:mnt", "/srv:/mnt:rx", "/tmp:/", "/tmp:/proc/x", "/tmp:/dev"]
)
def test_what_is_no_bind_is_refused(tree: Path, text: str) -> None:
    with pytest.raises(ProvisionerError, match=r"bind|bound"):
        run_inside(tree, ["true"], binds=[text])


def test_a_bind_of_nothing_is_refused(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="to bind"):
        run_inside(tree, ["true"], binds=[f"{tmp_path}/missing:/mnt"])


def test_a_tree_to_look_at_cannot_be_changed(tree: Path) -> None:
    before = busybox.everything(tree)

    said(tree, "! touch /etc/file; touch /tmp/file", read_only=True)

    assert busybox.everything(tree) == before


def test_a_tree_whose_proc_is_no_folder_is_refused(tree: Path) -> None:
    (tree / "proc").rmdir()
    (tree / "proc").symlink_to("/")

    with pytest.raises(ProvisionerError, match="/proc of the image"):
        run_inside(tree, ["true"])


def test_a_failure_says_what_the_program_said_last(tree: Path) -> None:
    log = tree.parent / "logs/log"

    check_inside(tree, ["echo", "an earlier one"], log=log)
    with pytest.raises(CommandError, match="status 3") as caught:
        check_inside(tree, ["sh", "-c", "echo broken; exit 3"], log=log)

    assert (caught.value.output, caught.value.status) == ("broken", 3)
    assert "an earlier one" in log.read_text()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_what_runs_inside_ends_with_prov_and_leaves_no_mount(tree: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-c", _SLEEPER, str(tree)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        process.send_signal(number)
        # The end of the output: the last process that could write to it is gone.
        assert process.stdout.read() == b""

    assert str(tree) not in mounts()


def test_a_person_gets_a_terminal_of_its_own(tree: Path) -> None:
    script = "from pathlib import Path; from provisioner.image.chamber import run_inside; import sys"
    command = f"{script}; sys.exit(run_inside(Path({str(tree)!r}), ['sh', '-c', sys.argv[1]], interactive=True))"
    environment: Mapping[str, str] = dict(os.environ)

    with Terminal([], cwd=Path.cwd(), environment=environment) as shell:
        printed = shell.run(f"{sys.executable} -c \"{command}\" 'tty; stty size; ttysize; exit 5'", timeout=60)

    assert printed.text.splitlines()[0] == "/dev/console"
    assert printed.status == 5
