"""Whatever is accepted is read by the real program as the one value that it was."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioner.host.run import run
from provisioner.model.disk import FileSystem
from provisioner.model.resolved import ResolvedNode
from provisioner.render.environment import RenderError
from provisioner.render.quote import systemd_path
from tests.support.richnode import render, rich

pytestmark = [
    pytest.mark.integration,
    pytest.mark.needs("findmnt", "systemd-analyze", "visudo"),
]

FEW = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
COMMANDS = st.text(st.sampled_from("ab/ ,:=\\*?[]!#()\"'%@+-\t"), max_size=8).map(lambda text: f"/bin/x{text}")
KEYS = st.lists(
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=12), max_size=3
)
# systemd-analyze takes a colon in the name of a file for an alias of its own.
PATHS = st.from_regex(r"\A(/[!-.0-9;-~]{1,6}){1,3}\Z").filter(lambda path: not {".", ".."} & set(path.split("/")))
OPTIONS = st.lists(st.from_regex(r"\A[A-Za-z0-9_.:=/+%@-]{1,8}\Z"), min_size=1, max_size=2)


def made(node: ResolvedNode, *names: str) -> dict[str, bytes] | None:
    """What overlays make for a node, or None where they refuse a value."""
    with tempfile.TemporaryDirectory() as site:
        try:
            return {path: entry.content for path, entry in render(Path(site), *names, node=node).items()}
        except RenderError:
            return None


@FEW
@given(command=COMMANDS)
def test_sudo_reads_one_command(command: str) -> None:
    files = made(rich(resources={"sudo": [{"who": "alice", "commands": [command]}]}), "users")
    if files is None:
        return
    read = json.loads(run(["cvtsudoers", "-f", "json", "-"], stdin=files["etc/sudoers.d/provisioner"]))

    (specification,) = read["User_Specs"]
    assert specification["User_List"] == [{"username": "alice"}]
    assert specification["Cmnd_Specs"][0]["Commands"] == [{"command": " ".join(command.split())}]


@FEW
@given(keys=KEYS)
def test_tmpfiles_writes_the_very_keys(keys: list[str]) -> None:
    files = made(rich(resources={"users": {"alice": {"uid": 1001, "keys": keys}}}), "users")
    if files is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "etc/tmpfiles.d").mkdir(parents=True)
        (root / "etc/passwd").write_text("alice:x:1001:1001::/home/alice:/bin/sh\n")
        (root / "etc/group").write_text("alice:x:1001:\n")
        (root / "etc/tmpfiles.d/u.conf").write_bytes(files["etc/tmpfiles.d/provisioner-users.conf"])
        run(["systemd-tmpfiles", "--create", f"--root={root}", "u.conf"])

        written = root / "home/alice/.ssh/authorized_keys"
        assert (written.read_text() if written.exists() else "") == "".join(f"{key}\n" for key in keys)


@FEW
@given(path=PATHS, options=OPTIONS)
def test_systemd_and_libmount_read_the_very_path_and_options(path: str, options: list[str]) -> None:
    node = rich(resources={}, filesystems={"/dev/sda1": FileSystem(path=path, mount_options=tuple(options))})
    fstab, units = made(node, "fstab"), made(node, "mounts")

    assert fstab is not None
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "fstab").write_bytes(fstab["etc/fstab"])
        columns = ["--json", "--output", "TARGET,OPTIONS"]
        read = json.loads(run(["findmnt", "--fstab", "--tab-file", Path(folder) / "fstab", *columns]))[
            "filesystems"
        ]
        assert read == [{"target": path, "options": ",".join(options)}]
        if units is not None:
            name = f"{systemd_path(path)}.mount"
            (Path(folder) / name).write_bytes(units[f"etc/systemd/system/{name}"])
            command = ["systemd-analyze", "verify", "--man=no", f"{folder}/{name}"]
            understood = run(command, environment={"SYSTEMD_LOG_LEVEL": "debug"})
            assert f"\t\tWhere: {path}\n" in understood
            assert f"\t\tOptions: {','.join(options)}\n" in understood
