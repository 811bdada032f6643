"""The systemd unit: what systemd itself says of it, and a daemon with nothing but what it grants."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import socket
import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest

from provisioner.host.run import run
from provisioner.lab.namespace import Namespace
from tests.support.realsite import CHECKOUT
from tests.support.world import until, world

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("systemd-analyze", "setpriv", "nsenter", "ip"),
    pytest.mark.timeout(400),
]

FOLDER = CHECKOUT / "packaging" / "systemd"
UNIT = FOLDER / "provisioner.service"
MOST_EXPOSED = 2.5


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root file system with the unit, the program that it names, and systemd's own units."""
    places = {
        "etc/systemd/system/provisioner.service": UNIT,
        "usr/lib/sysusers.d/provisioner.conf": FOLDER / "sysusers.conf",
        "usr/lib/tmpfiles.d/provisioner.conf": FOLDER / "tmpfiles.conf",
        "usr/bin/prov": Path("/bin/true"),
    }
    for name, source in places.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, tmp_path / name)
    units = ("network-online.target", "sysinit.target", "basic.target", "multi-user.target", "shutdown.target")
    target = tmp_path / "usr/lib/systemd/system"
    target.mkdir(parents=True)
    for name in (*units, "network.target"):
        shutil.copy(Path("/usr/lib/systemd/system") / name, target / name)
    return tmp_path


def settings() -> dict[str, str]:
    """The `[Service]` part; of a setting that stands twice the last line."""
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # names keep their capitals
    parser.read(UNIT)
    return dict(parser["Service"])


def test_the_unit_is_less_exposed_than_two_and_a_half() -> None:
    told = run(["systemd-analyze", "security", "--offline=yes", "--no-pager", UNIT])

    score = re.search(r"Overall exposure level for \S+: ([\d.]+)", told)
    assert score, told
    assert float(score[1]) < MOST_EXPOSED


def test_systemd_finds_nothing_wrong_with_the_unit(tree: Path) -> None:
    told = run(["sh", "-c", 'systemd-analyze verify --man=no "$@" 2>&1', "sh", f"--root={tree}", UNIT.name])

    assert told == ""


def test_the_user_and_the_folders_are_made(tree: Path) -> None:
    run(["systemd-sysusers", f"--root={tree}", "provisioner.conf"])
    run(["systemd-tmpfiles", "--create", f"--root={tree}", "provisioner.conf"])

    assert re.search(r"^provisioner:x:\d+:\d+:", (tree / "etc/passwd").read_text(), re.MULTILINE)
    keys, site = tree / "var/lib/provisioner/keys", tree / "etc/provisioner"
    assert (keys.stat().st_mode & 0o777, site.stat().st_mode & 0o777) == (0o700, 0o750)
    assert keys.stat().st_uid != 0
    assert site.stat().st_uid == 0


def test_a_machine_boots_from_a_daemon_with_only_the_capabilities_of_the_unit(tmp_path: Path) -> None:
    granted = settings()["AmbientCapabilities"].split()
    assert granted == settings()["CapabilityBoundingSet"].split()
    user = pwd.getpwnam("nobody")
    caps = ",".join(f"+{each.removeprefix('CAP_').lower()}" for each in granted)
    words = (
        *("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--no-new-privs"),
        *(f"--bounding-set=-all,{caps}", f"--inh-caps=-all,{caps}", f"--ambient-caps=-all,{caps}"),
    )
    with world(tmp_path, nodes=2, words=words) as place:
        open_way(tmp_path)
        for path in (place.paths.site, *place.paths.site.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid)
        open_interpreter(place.head)
        place.daemon.start()
        process = place.daemon.process
        assert process is not None
        assert process.identity is not None
        status = Path(f"/proc/{process.identity.pid}/status").read_text()
        assert f"Uid:\t{user.pw_uid}\t" in status

        place.boots(1, 2)
        until(lambda: place.events("ready"))
        place.daemon.stop()


def test_the_daemon_says_that_it_serves_and_that_its_loop_turns(tmp_path: Path) -> None:
    address = tmp_path / "notify"
    words = ("env", f"NOTIFY_SOCKET={address}", "WATCHDOG_USEC=2000000")
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
        world(tmp_path, nodes=1, words=words) as place,
    ):
        manager.bind(str(address))
        manager.settimeout(60)
        place.daemon.start()

        told = [manager.recv(4096).decode() for _ in range(5)]
        place.daemon.stop()

    assert any(each.startswith("READY=1") for each in told)
    assert told.count("WATCHDOG=1") >= 3


def open_interpreter(head: Namespace) -> None:
    """Let another user reach an interpreter that lies where only root may look, in this namespace alone."""
    base = Path(sys.base_prefix)
    closed = next((each for each in reversed(base.parents) if not each.stat().st_mode & 0o001), None)
    if closed is None:
        return
    steps = (
        f"mount --bind {base} /mnt",
        f"mount -t tmpfs -o mode=755 tmpfs {closed}",
        f"mkdir -p {base}",
        f"mount --bind /mnt {base}",
    )
    head.run(["sh", "-ec", "; ".join(steps)])


def open_way(folder: Path) -> None:
    """Let another user through the folders of the test, which are for nobody else."""
    for each in (folder, *folder.parents):
        if each.stat().st_uid == os.getuid() and len(each.parts) > 2:
            each.chmod(each.stat().st_mode | 0o055)
