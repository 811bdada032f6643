"""One machine: looked at while it is no node, held in a rescue shell once it is one, and ready after that."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from provisioner.lab.vm import RunningMachine
from provisioner.model.address import MacAddress
from provisioner.model.boot import BootRecord
from provisioner.operations.discover import hardware_of
from provisioner.trust.hostkey import host_key
from provisioner.trust.sitekey import SiteKey
from tests.support.realsite import BOOT_SECONDS, RealSite, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1500), pytest.mark.needs("dropbear")]

STRAY = MacAddress("52:54:00:77:00:aa")
HOOKS = "etc/provisioner/hooks"


@dataclass(frozen=True)
class Rescued:
    """What was seen on the way; the machine is ready as n009 by now."""

    site: RealSite
    machine: RunningMachine
    strange: dict[str, str]
    status: str
    inside: str
    keys: str
    boot: BootRecord


@pytest.fixture(scope="module")
def rescued(cluster: RealSite) -> Rescued:
    """A machine that no node describes becomes n009, for which a rescue is ordered, and is let go on."""
    discover_by_image(cluster)
    write_hooks(cluster)
    machine = cluster.lab.boot("stray", STRAY)
    machine.wait_for("survey: this machine is no node", BOOT_SECONDS)
    wait_until(
        lambda: "yes" if (cluster.paths.hardware / f"{STRAY.hyphenated}.json").exists() else None, "it", 120
    )
    strange = hardware_of(cluster.paths, STRAY)
    cluster.prov("boot", "set", "n009", "--once", "rescue")
    cluster.prov("node", "set", "n009", "--yes", "--mac", str(STRAY))
    cluster.wait_for_event("n009", "rescue.entered")
    status = cluster.prov("status", "n009")
    inside = cluster.shell(9, "cat /proc/cmdline; ls /sysroot")
    keys = cluster.lab.run(["ssh-keyscan", "-T", "50", "-t", "ed25519", "10.77.1.9"])
    cluster.shell(9, "boot-on")
    return Rescued(cluster, machine, strange, status, inside, keys, cluster.wait_for_boot("n009"))


def discover_by_image(site: RealSite) -> None:
    file = site.root / "provisioner.yaml"
    file.write_text(f"{file.read_text()}\ndiscovery: {{image: debian-12}}\n")


def write_hooks(site: RealSite) -> None:
    """An early hook that leaves a word for the late one, which takes it into the root."""
    folder = site.root / "overlays/hooked/rootfs" / HOOKS
    for name in ("early", "late"):
        (folder / name).mkdir(parents=True)
    (folder / "early/10-word").write_text("ls $NEWROOT > /dev/null; echo early > /run/word\n")
    (folder / "late/10-word.j2").write_text('echo "{{ node.name }} $(cat /run/word)" > "$NEWROOT/etc/word"\n')
    site.prov("node", "set", "n009", "--yes", "--system-overlay", "hooked")


def test_a_machine_that_is_no_node_told_what_it_is(rescued: Rescued) -> None:
    strange = rescued.strange

    assert (strange["firmware"], strange["sys_vendor"], strange["cpu_threads"]) == ("bios", "Provisioner", "1")
    assert int(strange["memory_kib"]) > 500_000
    assert f"{STRAY} driver " in next(value for key, value in strange.items() if key.startswith("nic_"))
    assert ":" in strange["pci"]


def test_it_restarted_by_itself_when_it_became_a_node_and_got_the_rescue_that_was_ordered(
    rescued: Rescued,
) -> None:
    rescued.machine.wait_for("survey: it is a node now, and restarts", 5)
    assert "prov.rescue=1" in rescued.inside
    assert " rescue " in rescued.status


def test_the_shell_by_ssh_has_the_host_key_of_the_node(rescued: Rescued) -> None:
    key = host_key(SiteKey.load_or_create(rescued.site.paths.keys), "n009").public

    assert key.split()[1] in rescued.keys


def test_the_boot_goes_on_from_the_shell_and_uses_the_order_up(rescued: Rescued) -> None:
    assert rescued.boot.state == "ready"
    assert "next boot" not in rescued.site.prov("status", "n009")


def test_the_shell_ends_with_stage_1(rescued: Rescued) -> None:
    assert "dropbear" not in rescued.site.shell(9, "ps -e -o comm")


def test_the_hooks_worked_on_the_root_and_are_nowhere_in_it(rescued: Rescued) -> None:
    assert rescued.site.shell(9, "cat /etc/word") == "n009 early\n"
    assert rescued.site.shell(9, f"ls /{HOOKS} /run/provisioner/hooks 2>&1; true").count("No such file") == 2


def test_the_log_of_the_boot_is_on_the_head_node_without_its_token(rescued: Rescued) -> None:
    log = rescued.site.prov("boot", "log", "n009")

    assert "provisioner: rescue: a shell is here; by ssh: yes" in log
    assert "prov.token=(removed)" in log


def test_the_machine_of_a_node_tells_what_it_is_too(rescued: Rescued) -> None:
    assert hardware_of(rescued.site.paths, "n009")["sys_vendor"] == "Provisioner"
