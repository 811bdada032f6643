"""What `prov export` writes, read by the programs that it is for."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from provisioner.errors import CommandError
from provisioner.host.run import run, spawn
from tests.support.netns import Namespace, namespace, veth

pytestmark = pytest.mark.integration

T = TypeVar("T")

_SITE = """\
cluster: demo
networks:
  provision: {cidr: 10.0.0.0/16, cidr6: "fd00::/64", server: 10.0.0.1}
  bmc: {cidr: 10.2.0.0/16, dhcp: "off"}
"""
_GROUPS = """\
groups:
  base:
    tags: {site: muc}
  compute:
    groups: [base]
    resources:
      slurm:
        CPUs: 64
        Sockets: 2
        CoresPerSocket: 16
        ThreadsPerCore: 2
        RealMemory: 128000
        partitions: {batch: {Default: "YES", MaxTime: "1-00:00:00"}}
  gpu-a100:
    groups: [compute]
    resources: {slurm: {Gres: "gpu:4", partitions: {gpu: {MaxNodes: 1}}}}
"""
_NODES = """\
nodes:
  n[001-003]:
    groups: [compute]
    interfaces:
      eth0: {network: provision, ip: 10.0.1.1+, ip6: "fd00::1+"}
      eth1: {network: provision, ip: 10.0.2.1+}
    bmc: {network: bmc, ip: 10.2.1.1+, username: admin, password: geheim}
  n003:
    groups: [gpu-a100]
    tags: {rack: r2, note: "a 'b' {{ 6 * 7 }}"}
  login:
    groups: [base]
    interfaces: {eth0: {network: provision, ip: 10.0.9.1}}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("site")
    for name, text in {"provisioner.yaml": _SITE, "groups.d/g.yaml": _GROUPS, "nodes.d/n.yaml": _NODES}.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    return root


def prov(root: Path, *words: str) -> str:
    return run([sys.executable, "-m", "provisioner", "--root", root, *words], timeout=60)


def written(root: Path, folder: Path, kind: str) -> Path:
    """The export of one kind as a file."""
    prov(root, "export", kind, "--output", str(folder / kind))
    return folder / kind


def test_clustershell_knows_groups_and_tags(site: Path, tmp_path: Path) -> None:
    (tmp_path / "groups.d").mkdir()
    prov(site, "export", "clustershell", "--output", str(tmp_path / "groups.d" / "prov.yaml"))
    (tmp_path / "groups.conf").write_text(f"[Main]\ndefault: prov\nautodir: {tmp_path}/groups.d\n")

    def nodeset(*words: str) -> str:
        program = Path(sys.executable).with_name("nodeset")
        return run([program, *words], environment={"CLUSTERSHELL_CFGDIR": str(tmp_path)}, timeout=30).strip()

    assert nodeset("-f", "@compute") == "n[001-003]"
    assert nodeset("-f", "@gpu-a100,@rack:r2") == "n003"
    assert nodeset("-f", "-a") == "login,n[001-003]"
    assert set(nodeset("-s", "prov", "-l", "n003").split()) == {
        f"@prov:{name}" for name in ("all", "base", "compute", "gpu-a100")
    }


def test_clustershell_asks_prov_by_its_upcalls(site: Path, tmp_path: Path) -> None:
    upcalls = prov(site, "export", "clustershell", "--upcalls")
    program = f"{sys.executable} -m provisioner --root {site}"
    (tmp_path / "groups.conf").write_text("[Main]\ndefault: prov\n" + upcalls.replace(": prov ", f": {program} "))

    def clush(*words: str) -> str:
        command = [str(Path(sys.executable).with_name("clush")), "-R", "exec", *words]
        return run(command, environment={"CLUSTERSHELL_CFGDIR": str(tmp_path)}, timeout=60).strip()

    assert clush("-L", "-w", "@gpu-a100,login", "echo", "%host") == "login: login\nn003: n003"
    assert clush("-N", "-w", "@compute!n[001-002]", "echo", "%host") == "n003"


@pytest.mark.needs("ansible-inventory", "ansible")
def test_ansible_reads_groups_and_variables_and_evaluates_nothing(site: Path, tmp_path: Path) -> None:
    script = tmp_path / "inventory"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m provisioner --root {site} export ansible "$@"\n')
    script.chmod(0o755)
    (tmp_path / "ansible.cfg").write_text("")
    home = {"ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"), "HOME": str(tmp_path)}

    listed = json.loads(run(["ansible-inventory", "-i", script, "--list"], environment=home, timeout=60))
    command = ["ansible", "n003", "-i", str(script), "-m", "debug", "-a", "var=prov_tags"]
    shown = run(command, environment=home, timeout=60)

    assert listed["base"]["children"] == ["compute"]
    assert listed["compute"]["children"] == ["gpu_a100"]
    assert listed["gpu_a100"]["hosts"] == ["n003"]
    assert listed["_meta"]["hostvars"]["n001"]["ansible_host"] == "10.0.1.1"
    assert json.loads(shown.partition("=>")[2])["prov_tags"]["note"] == "a 'b' {{ 6 * 7 }}"
    assert "geheim" not in json.dumps(listed)
    assert json.loads(prov(site, "export", "ansible", "--host", "n003"))["prov_tags"]["rack"] == "r2"


@pytest.mark.root
@pytest.mark.needs("slurmctld", "scontrol")
def test_slurm_starts_with_the_nodes_and_partitions(site: Path, tmp_path: Path) -> None:
    configuration = tmp_path / "slurm.conf"
    configuration.write_text(_SLURM.format(folder=tmp_path) + prov(site, "export", "slurm"))
    (tmp_path / "state").mkdir()

    def scontrol(what: str) -> list[dict[str, str]]:
        command = ["ip", "netns", "exec", inside.name, "scontrol", "show", what, "-o"]
        output = run(command, environment={"SLURM_CONF": str(configuration)}, timeout=30)
        return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in output.splitlines()]

    # Slurm looks up every node by its name: the export for /etc/hosts answers, in a mount namespace of the daemon.
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n" + prov(site, "export", "hosts"))
    script = 'mount --bind "$0" /etc/hosts && exec slurmctld "$@"'
    command = ["sh", "-c", script, str(hosts), "-D", "-c", "-f", str(configuration)]
    with network() as inside, running(inside, command, tmp_path / "log"):
        found = until(lambda: scontrol("nodes"), lambda got: "NodeName" in str(got))
        partitions = {each["PartitionName"]: each for each in scontrol("partitions")}

    nodes = {each["NodeName"]: each for each in found}
    assert set(nodes) == {"login", "n001", "n002", "n003"}
    assert (nodes["n001"]["CPUTot"], nodes["n001"]["Sockets"], nodes["n001"]["CoresPerSocket"]) == (
        "64",
        "2",
        "16",
    )
    assert (nodes["n001"]["RealMemory"], nodes["n001"]["AvailableFeatures"]) == ("128000", "base,compute")
    assert (nodes["n003"]["Gres"], nodes["n003"]["AvailableFeatures"]) == ("gpu:4", "base,compute,gpu-a100")
    assert (partitions["batch"]["Nodes"], partitions["batch"]["Default"]) == ("n[001-003]", "YES")
    assert (partitions["batch"]["MaxTime"], partitions["gpu"]["Nodes"]) == ("1-00:00:00", "n003")


@pytest.mark.needs("nodeattr")
def test_genders_knows_attributes_and_their_values(site: Path, tmp_path: Path) -> None:
    file = written(site, tmp_path, "genders")

    def nodeattr(*words: str) -> str:
        return run(["nodeattr", "-f", file, *words], timeout=30).strip()

    assert nodeattr("-q", "compute") == "n[001-003]"
    assert nodeattr("-q", "rack=r2") == "n003"
    assert nodeattr("-v", "login", "site") == "muc"


@pytest.mark.root
@pytest.mark.needs("conmand", "conman")
def test_conman_offers_the_consoles(site: Path, tmp_path: Path) -> None:
    configuration = tmp_path / "conman.conf"
    server = f'server loopback=on\nserver port=17890\nserver pidfile="{tmp_path}/pid"\n'
    configuration.write_text(server + prov(site, "export", "conman"))

    with network() as inside, running(inside, ["conmand", "-F", "-c", str(configuration)], tmp_path / "log"):
        consoles = until(lambda: inside.run(["conman", "-d", "127.0.0.1:17890", "-q"], timeout=20), bool)

    assert consoles.split() == ["n001", "n002", "n003"]
    assert "geheim" not in configuration.read_text()


@pytest.mark.root
@pytest.mark.needs("powermand", "powerman")
def test_powerman_knows_the_plugs(site: Path, tmp_path: Path) -> None:
    configuration = tmp_path / "powerman.conf"
    configuration.write_text('listen "127.0.0.1:10101"\n' + prov(site, "export", "powerman", "n[001-002]"))

    with network() as inside, running(inside, ["powermand", "-f", "-c", str(configuration)], tmp_path / "log"):
        nodes = until(lambda: inside.run(["powerman", "-h", "127.0.0.1:10101", "-l"], timeout=20), bool)
        devices = inside.run(["powerman", "-h", "127.0.0.1:10101", "-d"], timeout=20)

    assert nodes.split() == ["n[001-002]"]
    assert "hosts=n[001-002]" in devices


@pytest.mark.root
@pytest.mark.needs("unshare", "getent")
def test_the_resolver_finds_names_and_addresses(site: Path, tmp_path: Path) -> None:
    file = written(site, tmp_path, "hosts")

    def getent(*words: str) -> list[str]:
        script = 'mount --bind "$1" /etc/hosts; shift; exec getent -s files "$@"'
        return run(["unshare", "--mount", "sh", "-c", script, "sh", file, *words], timeout=30).split()

    assert getent("ahostsv4", "n001.cluster.local")[0] == "10.0.1.1"
    assert getent("ahostsv6", "n002")[0] == "fd00::2"
    assert getent("hosts", "10.0.2.3")[1:] == ["n003-eth1.cluster.local", "n003-eth1"]


def test_a_filter_and_a_set_narrow_an_export(site: Path) -> None:
    lines = prov(site, "export", "hosts", "@compute", "--where", "tags.rack=r2").splitlines()

    assert {line.split()[2].partition("-")[0] for line in lines} == {"n003"}


def test_a_failed_export_leaves_the_file_as_it_was(site: Path, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("before\n")

    with pytest.raises(CommandError, match="there is no node x9"):
        prov(site, "export", "hosts", "x9", "--output", str(tmp_path / "hosts"))

    assert (tmp_path / "hosts").read_text() == "before\n"


@contextmanager
def network() -> Iterator[Namespace]:
    """A namespace with an address besides loopback: without one, resolvers find no IPv4 address at all."""
    with namespace() as inside, namespace() as other, veth(inside, other) as (ours, _):
        inside.address(ours, "10.99.0.1/24")
        yield inside


@contextmanager
def running(inside: Namespace, command: list[str], log: Path) -> Iterator[None]:
    """A daemon in a namespace, ended afterwards."""
    with log.open("wb") as stream:
        process = spawn(["ip", "netns", "exec", inside.name, *command], stdout=stream)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=60)
            finally:
                process.kill()


def until(ask: Callable[[], T], good: Callable[[T], object]) -> T:
    """Ask a daemon that has just been started until it answers."""
    for _ in range(300):
        try:
            answer = ask()
        except CommandError:
            time.sleep(0.1)
            continue
        if good(answer):
            return answer
        time.sleep(0.1)
    pytest.fail("the daemon did not answer")


_SLURM = """\
ClusterName=test
SlurmctldHost=localhost(10.99.0.1)
SlurmUser=root
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/pgid
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldPort=16817
GresTypes=gpu
"""
