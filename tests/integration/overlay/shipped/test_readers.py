"""What the shipped overlays make is read by the programs that read it on a node, and they see what was meant."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import pytest
import yaml

from provisioner.errors import CommandError
from provisioner.host.run import run
from provisioner.lab.namespace import Namespace
from provisioner.model.disk import Disk, FileSystem, Partition
from tests.support import unpacked
from tests.support.daemon import eventually
from tests.support.richnode import DISKS, FILESYSTEMS, KEY, RESOURCES, render, rich, unpack

pytestmark = [
    pytest.mark.integration,
    pytest.mark.needs("dnsmasq", "findmnt", "nodeattr", "script", "ssh-keygen", "sfdisk", "shellcheck", "visudo"),
]


def made(folder: Path, *names: str, **changes: object) -> Path:
    """The files of some overlays for the rich node, in a folder."""
    (folder / "site").mkdir()
    return unpack(render(folder / "site", *names, node=rich(**changes)), folder / "tree")


def test_chronyd_reads_the_servers_of_the_node(tmp_path: Path) -> None:
    tree = made(tmp_path, "chrony")

    for path in ("etc/chrony.conf", "etc/chrony/chrony.conf"):
        command = [str(unpacked.program("usr/sbin/chronyd")), "-p", "-f", str(tree / path)]
        printed = run(command, environment=unpacked.environment()).splitlines()
        assert [line for line in printed if line.startswith("server")] == [
            "server 10.0.0.1 iburst",
            "server ntp.example.org iburst",
        ]


def test_the_c_library_reads_the_time_zone(tmp_path: Path) -> None:
    tree = made(tmp_path, "localtime")
    (tree / "usr/share").mkdir(parents=True)
    (tree / "usr/share/zoneinfo").symlink_to("/usr/share/zoneinfo")

    assert run(["zdump", tree / "etc/localtime"]).split()[-1] in {"CET", "CEST"}
    assert (tree / "etc/timezone").read_text() == "Europe/Berlin\n"


def test_the_c_library_searches_the_domains_and_asks_the_name_servers(tmp_path: Path) -> None:
    tree = made(tmp_path, "resolv")
    with Namespace() as namespace:
        namespace.run(["mount", "--bind", tree / "etc/resolv.conf", "/etc/resolv.conf"])
        namespace.run(["ip", "address", "add", "10.0.0.53/32", "dev", "lo"])
        records = [f"--address=/{name}/{address}" for name, address in (("n002.cluster.local", "10.0.1.2"),)]
        records.append("--address=/license.hpc.example.org/10.7.7.7")
        quiet = ["--no-daemon", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--listen-address=10.0.0.53"]
        namespace.spawn(["dnsmasq", *quiet, "--local=/cluster.local/", *records], cwd=tmp_path)

        def look_up(name: str) -> list[str]:
            return namespace.run(["sh", "-c", f"getent --service=dns ahostsv4 {name} || true"]).split()

        eventually(lambda: look_up("n002")[:1] == ["10.0.1.2"])
        assert look_up("license")[0] == "10.7.7.7"


def test_agetty_shows_what_was_meant_before_the_login(tmp_path: Path) -> None:
    tree = made(tmp_path, "issue")

    shown = run(["script", "-qec", f"agetty --show-issue -f {tree}/etc/issue", "/dev/null"])

    assert "n001.cluster.local of demo on " in shown
    assert r"50 \n %u $HOME" in shown
    assert f"Image debian-12, kernel {os.uname().release}" in shown


def test_libmount_reads_every_line_of_fstab(tmp_path: Path) -> None:
    strange = FileSystem(path="/srv/100%$x\"'\\y", format="ext4", mount_options=("x-a=%h",))
    fstab = made(tmp_path, "fstab", filesystems={**FILESYSTEMS, "/dev/sdc1": strange}) / "etc/fstab"

    columns = ["--json", "--output", "SOURCE,TARGET,FSTYPE,OPTIONS,FREQ,PASSNO"]
    read = json.loads(run(["findmnt", "--fstab", "--tab-file", fstab, *columns]))["filesystems"]
    complaints = run(["sh", "-c", 'findmnt --verify --tab-file "$1" 2>&1 || true', "sh", fstab])

    assert "\n0 parse errors" in complaints
    # What is left to complain about is that these devices and folders are not on this machine.
    assert not [line for line in complaints.splitlines() if "[E]" in line and "unreachable" not in line]
    assert [tuple(each.values()) for each in read] == [
        ("/dev/disk/by-partlabel/scratch", "/srv/scratch-1", "ext4", "noatime,nodev", 0, 2),
        ("/dev/disk/by-partlabel/data", "/srv/data", "xfs", "defaults,nofail", 0, 0),
        ("/dev/sdc1", "/srv/100%$x\"'\\y", "ext4", "x-a=%h", 0, 2),
        ("/dev/disk/by-partlabel/swap", "none", "swap", "defaults,nofail", 0, 0),
        ("tmpfs", "/var/tmp", "tmpfs", "size=1G,nosuid", 0, 0),
        ("10.0.0.1:/home", "/home", "nfs", "_netdev,nofail,nfsvers=4.2,hard", 0, 0),
        ("nas.example.org:/apps", "/opt/apps", "nfs", "_netdev,nofail,x-systemd.automount", 0, 0),
    ]


def test_nodeattr_finds_nodes_by_group_and_tag(tmp_path: Path) -> None:
    genders = made(tmp_path, "genders") / "etc/genders"

    assert "0 parse errors" in run(["sh", "-c", 'nodeattr -f "$1" -k 2>&1', "sh", genders])
    assert run(["nodeattr", "-f", genders, "-c", "rack=r1"]) == "n001,n002,n003\n"
    assert run(["nodeattr", "-f", genders, "-v", "n001", "timezone"]) == "Europe/Berlin\n"


def test_visudo_accepts_the_rules_and_sudo_reads_each_command_as_one(tmp_path: Path) -> None:
    rules = made(tmp_path, "users") / "etc/sudoers.d/provisioner"

    run(["visudo", "--check", "--strict", "--file", rules])
    (group, user) = json.loads(run(["cvtsudoers", "-f", "json", rules]))["User_Specs"]

    assert group["User_List"] == [{"usergroup": "hpc"}]
    assert group["Cmnd_Specs"][0]["Options"] == [{"authenticate": False}]
    assert [each["command"] for each in group["Cmnd_Specs"][0]["Commands"]] == RESOURCES["sudo"][0]["commands"]
    assert user["User_List"] == [{"username": "alice"}]
    assert stat.S_IMODE(rules.stat().st_mode) == 0o440


@pytest.mark.root
def test_systemd_makes_the_users_groups_homes_and_keys(tmp_path: Path) -> None:
    tree = made(tmp_path, "users")
    (tree / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nbin:x:2:2::/bin:/bin/sh\n")

    run(["systemd-sysusers", f"--root={tree}", "provisioner.conf"])
    run(["systemd-tmpfiles", "--create", f"--root={tree}", "provisioner-users.conf"])

    assert (tree / "etc/passwd").read_text().splitlines() == [
        "root:x:0:0:root:/root:/bin/sh",
        "bin:x:2:2::/bin:/bin/sh",
        "alice:x:1001:1001:Alice A.:/home/alice:/bin/bash",
        "bob:x:1002:2000::/srv/home/bob:/bin/sh",
    ]
    assert "hpc:x:2000:alice,bob" in (tree / "etc/group").read_text().splitlines()
    keys = tree / "home/alice/.ssh/authorized_keys"
    assert keys.read_text().splitlines() == RESOURCES["users"]["alice"]["keys"]
    assert [(path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) for path in (keys, keys.parent)] == [
        (1001, 0o600),
        (1001, 0o700),
    ]
    assert not (tree / "srv/home/bob").exists()


@pytest.mark.root
def test_systemd_makes_the_folders_of_munge(tmp_path: Path) -> None:
    tree = made(tmp_path, "munge")
    (tree / "etc/passwd").write_text("munge:x:900:901::/nonexistent:/usr/sbin/nologin\n")
    (tree / "etc/group").write_text("munge:x:901:\n")

    run(["systemd-tmpfiles", "--create", f"--root={tree}", "provisioner-munge.conf"])

    for name, mode in (("etc/munge/munge.key", 0o400), ("var/lib/munge", 0o711), ("run/munge", 0o755)):
        status = (tree / name).stat()
        assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (900, 901, mode)


def test_ignition_accepts_the_disks_and_a_section_of_the_site(tmp_path: Path) -> None:
    extra = {"passwd": {"users": [{"name": "core"}]}}
    disks = {**DISKS, "/dev/sdd": Disk(partitions={"grown": Partition(number=1, resize=True, wipe=True)})}
    tree = made(tmp_path, "ignition", disks=disks, resources={"ignition": extra})

    run([unpacked.program("usr/bin/ignition-validate"), tree / "etc/provisioner/ignition.json"])


def test_the_start_of_a_partition_is_its_start_and_options_stay_whole(tmp_path: Path) -> None:
    tree = made(tmp_path, "ignition")

    storage = json.loads((tree / "etc/provisioner/ignition.json").read_text())["storage"]

    (data,) = storage["disks"][1]["partitions"]
    assert data["startMiB"] == 1
    assert "sizeMiB" not in data
    assert storage["filesystems"][1]["mountOptions"] == ["noatime", "nodev"]


def test_a_yaml_reader_sees_how_the_gpus_are_divided(tmp_path: Path) -> None:
    text = (made(tmp_path, "mig") / "etc/provisioner/mig.yaml").read_text()

    assert yaml.safe_load(text)["mig-configs"]["provisioner"] == [
        {"devices": [0, 1], "mig-enabled": True, "mig-devices": {"1g.5gb": 7}},
        {"devices": [2], "mig-enabled": False, "mig-devices": {}},
    ]


def test_a_shell_reads_the_options_of_slurmd_as_two_words(tmp_path: Path) -> None:
    tree = made(tmp_path, "slurm")

    for path in ("etc/default/slurmd", "etc/sysconfig/slurmd"):
        script = '. "$1"; printf "%s\\n" $SLURMD_OPTIONS'
        assert run(["sh", "-c", script, "sh", tree / path]).splitlines() == [
            "--conf-server",
            "10.0.0.1:6817,backup",
        ]


def test_openssh_finds_every_node_among_the_known_hosts(tmp_path: Path) -> None:
    tree = made(tmp_path, "ssh", "known-hosts")

    for name in ("n001", "n002.cluster.local", "10.9.0.1", "fd00::3", "n001-ib0"):
        found = run(["ssh-keygen", "-F", name, "-f", tree / "etc/ssh/ssh_known_hosts2"])
        authority = run(["ssh-keygen", "-F", name, "-f", tree / "etc/ssh/ssh_known_hosts"])
        assert "ssh-ed25519" in found
        assert "CA" in authority


def test_the_authority_speaks_for_no_other_host(tmp_path: Path) -> None:
    known = made(tmp_path, "ssh") / "etc/ssh/ssh_known_hosts"

    for name in ("github.com", "10.0.0.1", "n0011", "n001.evil.example"):
        with pytest.raises(CommandError):
            run(["ssh-keygen", "-F", name, "-f", known])


def test_ssh_keygen_reads_the_certificate_of_the_node(tmp_path: Path) -> None:
    tree = made(tmp_path, "ssh")

    printed = run(["ssh-keygen", "-L", "-f", tree / "etc/ssh/ssh_host_ed25519_key-cert.pub"])

    assert "Type: ssh-ed25519-cert-v01@openssh.com host certificate" in printed
    assert 'Key ID: "n001"' in printed
    assert "Valid: forever" in printed
    principals = re.findall(r"^ {16}(\S+)$", printed, re.MULTILINE)
    assert {"n001", "n001.cluster.local", "n001-ib0", "10.0.1.1", "fd00::1"} <= set(principals)


def test_the_site_key_shows_nowhere(tmp_path: Path) -> None:
    tree = made(tmp_path, "debug", "ssh", "known-hosts")

    texts = [path.read_text() for path in tree.rglob("*") if path.is_file()]
    assert repr(KEY) == "SiteKey(hidden)"
    assert not [text for text in texts if "kkkk" in text or (b"k" * 32).hex() in text]
