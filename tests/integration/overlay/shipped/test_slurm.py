"""slurmd with the options of the overlay gets its configuration from a real slurmctld."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from provisioner.lab.namespace import Namespace
from tests.support import unpacked
from tests.support.daemon import eventually
from tests.support.richnode import TAGS, render, rich, unpack

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("munged"),
]

CONTROLLER = "10.0.0.1"
CONFIGURATION = f"""
ClusterName=demo
SlurmctldHost={os.uname().nodename}({CONTROLLER})
SlurmUser=root
MailProg=/bin/true
SlurmctldParameters=enable_configless
AuthType=auth/munge
CryptoType=crypto/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
StateSaveLocation=/run/ctld
SlurmdSpoolDir=/run/slurmd
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
NodeName=n001 NodeAddr=10.0.1.1 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES
"""


def test_slurmd_fetches_its_configuration_from_the_controller(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    node = rich(tags={**TAGS, "slurm": f"{CONTROLLER}:6817"})
    tree = unpack(render(tmp_path / "site", "slurm", node=node), tmp_path / "tree")
    options = shlex.split((tree / "etc/default/slurmd").read_text().partition("=")[2])[0].split()
    (tmp_path / "slurm.conf").write_text(CONFIGURATION)
    (tmp_path / "key").write_bytes(os.urandom(1024))
    (tmp_path / "key").chmod(0o400)
    with Namespace() as namespace:
        for address in (CONTROLLER, "10.0.1.1"):
            namespace.run(["ip", "address", "add", f"{address}/32", "dev", "lo"])
        # Plugins are found where the packages would have put them.
        lower = f"lowerdir={unpacked.program('usr/lib')}:/usr/lib"
        namespace.run(["mount", "-t", "overlay", "overlay", "-o", lower, "/usr/lib"])
        namespace.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run"])
        namespace.run(["mkdir", "-p", "/run/munge", "/run/ctld", "/run/slurmd"])
        quiet = ["--log-file=/run/munge.log", "--pid-file=/run/munge.pid", "--seed-file=/run/munge.seed"]
        namespace.spawn(["munged", "--foreground", "--force", f"--key-file={tmp_path}/key", *quiet], cwd=tmp_path)
        # Its lock is there before the socket.
        listens = "test ! -S /run/munge/munge.socket.2 || echo yes"
        eventually(lambda: namespace.run(["sh", "-c", listens]))
        controller = [unpacked.program("usr/sbin/slurmctld-wlm"), "-D", "-f", tmp_path / "slurm.conf"]
        with (tmp_path / "ctld.log").open("wb") as log:
            namespace.spawn([*map(str, controller)], output=log, cwd=tmp_path)
        # What systemd waits for between the two is not part of this test.
        eventually(lambda: "Running as primary controller" in (tmp_path / "ctld.log").read_text())
        daemon = [str(unpacked.program("usr/sbin/slurmd-wlm")), "-D", "-N", "n001", *options]
        with (tmp_path / "slurmd.log").open("wb") as log:
            namespace.spawn(daemon, output=log, cwd=tmp_path)

        # It goes on to look for control groups, which a namespace has none of.
        eventually(lambda: "No filesystem mounted on /sys/fs/cgroup" in (tmp_path / "slurmd.log").read_text())
        assert "NodeName=n001" in namespace.run(["cat", "/run/slurm/conf/slurm.conf"])
