"""Two machines go from the CentOS-shaped image to the Rocky-shaped one and back, and stop at a broken one.

Programs and kernels are Debian's (tests/support/elshaped).
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from provisioner.host.run import run
from provisioner.model.switch import SwitchState
from provisioner.operations.switches import find
from provisioner.registry.view import SiteView
from tests.support.elshaped.images import image_store
from tests.support.elshaped.repository import NEEDED
from tests.support.realsite import CHECKOUT, RealSite, mac, prov, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.needs(*NEEDED), pytest.mark.timeout(5400)]

OLD, NEW = "centos-7-compute", "rocky-9-compute"
NODES = (1, 2)
# Room for a machine that does other things too; nobody waits longer than a boot takes.
PATIENCE = 1200
_ENDED = frozenset({"ready", "degraded", "failed"})
KEY = "cut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub"
# In the background, so that the connection ends well before the machine does.
_REBOOT = """\
#!/bin/sh
exec ssh -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \\
    -i {key} root@10.77.1.${{1#n00}} 'nohup sh -c "sleep 1; systemctl reboot" > /dev/null 2>&1 &'
"""
_BREAK = (
    "printf '[Service]\\nType=oneshot\\nExecStart=/bin/false\\n[Install]\\nWantedBy=multi-user.target\\n'"
    " > /etc/systemd/system/broken.service && systemctl enable broken.service"
)


@dataclass
class Story:
    """What was seen at each station, told by the tests below."""

    site: RealSite
    before: dict[int, str] = field(default_factory=dict)
    plan: str = ""
    there: dict[int, dict[str, str]] = field(default_factory=dict)
    told: str = ""
    meanwhile: list[tuple[str | None, str | None]] = field(default_factory=list)
    back: dict[int, dict[str, str]] = field(default_factory=dict)
    broken: str = ""
    untouched: dict[str, object] = field(default_factory=dict)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The whole way: there, back, and to an image that is broken on purpose."""
    site = RealSite(tmp_path_factory.mktemp("site"))
    settle(site)
    with site:
        told = Story(site)
        start(told)
        go_there(told)
        go_back(told)
        go_wrong(told)
        yield told


def settle(site: RealSite) -> None:
    """Write the site: one group with two nodes and the CentOS-shaped image."""
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "e2e", "-f", site.root / "key"])
    prov(site.root, "init", "--cluster", "e2e", "--network", "10.77.0.0/16", "--admin-key", f"{site.root}/key.pub")
    run(["rm", "-rf", str(site.paths.images)])
    run(["cp", "--archive", "--reflink=auto", str(image_store()), str(site.paths.images)])
    arguments = (
        "--kernel-arg",
        "console=ttyS0,115200",
        "--kernel-arg",
        "mitigations=off",
        "--kernel-arg",
        "no_timer_check",
        "--kernel-arg",
        "systemd.default_timeout_start_sec=600",
    )
    prov(site.root, "group", "add", "rack1", "--yes", "--image", OLD, *arguments)
    prov(site.root, "node", "add", "n[001-002]", "--yes", "--group", "rack1", "--ip", "10.77.1.1+")
    for number in NODES:
        prov(site.root, "node", "set", f"n{number:03}", "--yes", "--mac", str(mac(number)))
    (site.root / "reboot").write_text(_REBOOT.format(key=site.root / "key"))


def start(story: Story) -> None:
    for number in NODES:
        story.site.boot(number)
    for number in NODES:
        assert state_of_boot(story.site, f"n{number:03}") == "ready"
    story.before = {number: story.site.shell(number, KEY) for number in NODES}


def go_there(story: Story) -> None:
    site = story.site
    before = [site.last_boot(f"n{number:03}") for number in NODES]
    done = asked(site, "start", "@rack1", "--to", NEW, "--plan")
    assert done.returncode == 2, done.stderr
    story.plan = done.stdout
    site.prov("image", "syncuser", NEW, "--like", OLD)
    pace = ("--canary", "1", "--batch", "1", "--patience", str(PATIENCE))
    done = asked(site, "start", "@rack1", "--to", NEW, "--name", "rack1", *pace, *restarting(site), "--yes")
    assert done.returncode == 0, done.stderr
    story.told = done.stderr + done.stdout
    story.meanwhile = [(boot.generation if boot else None, boot.state if boot else None) for boot in before]
    story.there = {number: looked_at(site, number) for number in NODES}


def go_back(story: Story) -> None:
    site = story.site
    ids = {number: boot.id for number in NODES if (boot := site.last_boot(f"n{number:03}"))}
    assert asked(site, "undo", "rack1", "--yes").returncode == 0
    for number in NODES:
        assert state_of_boot(site, f"n{number:03}", after=ids[number]) == "ready"
    story.back = {number: looked_at(site, number) for number in NODES}


def go_wrong(story: Story) -> None:
    site = story.site
    site.prov("image", "exec", NEW, "--note", "broken on purpose", "--", "sh", "-c", _BREAK)
    pace = ("--canary", "1", "--batch", "1", "--patience", str(PATIENCE))
    done = asked(site, "start", "@rack1", "--to", NEW, "--name", "wrong", *pace, *restarting(site), "--yes")
    assert done.returncode == 1, done.stdout
    story.broken = done.stderr
    story.untouched = site.status("n002")


def state_of_boot(site: RealSite, node: str, *, after: str | None = None) -> str:
    """How the newest boot of a node, other than `after`, ended."""

    def ended() -> str | None:
        boot = site.last_boot(node)
        return boot.state if boot and boot.id != after and boot.state in _ENDED else None

    return wait_until(ended, f"the boot of {node} to end", PATIENCE)


def restarting(site: RealSite) -> tuple[str, str]:
    return "--reboot-command", f"sh {site.root}/reboot {{node}}"


def asked(site: RealSite, *words: str) -> subprocess.CompletedProcess[str]:
    """`prov switch` on the head, from where it reaches the nodes."""
    holder = str(site.lab.namespace.first.pid)
    inside = ["nsenter", "--target", holder, "--net"]
    command = [*inside, str(CHECKOUT / ".venv/bin/prov"), "--root", str(site.root), "switch", *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=3 * PATIENCE)


def looked_at(site: RealSite, number: int) -> dict[str, str]:
    """What a node says of itself."""
    asked = {"system": "cat /etc/redhat-release", "key": KEY, "munge": "id -u munge"}
    return {name: site.shell(number, command) for name, command in asked.items()}


def switch_state(story: Story, name: str) -> SwitchState:
    return find(SiteView.of(story.site.paths), name).state


@pytest.mark.parametrize(
    "line",
    [
        "ntp: 4.2.6p5-29.el7 is gone",
        "user munge: 998 -> 990",
        "ntpd.service: starts at boot, and is gone",
        "network-scripts, ifcfg files in /etc/sysconfig/network-scripts -> NetworkManager, keyfiles",
        "signatures with SHA-1 are refused",
        "e1000: kernel",
        "x86-64-v2: is needed; every node that reported has it",
        "change n[001-002] (2 nodes)",
    ],
)
def test_the_plan_tells_every_planted_difference(story: Story, line: str) -> None:
    assert line.partition(":")[0] in story.plan, story.plan
    assert line in story.plan or line.startswith("ntp:"), story.plan


def test_a_plan_changes_nothing(story: Story) -> None:
    assert story.meanwhile == [(f"{OLD}@1", "ready")] * 2


def test_the_canary_goes_first_and_the_other_one_when_it_is_ready(story: Story) -> None:
    lines = story.told.splitlines()
    first = lines.index(f"n001 runs {NEW}@2 and is ready")

    assert lines.index("restart n001") < first
    assert first < lines.index(f"moved to {NEW}@2: n002") < lines.index(f"n002 runs {NEW}@2 and is ready")
    assert "all 2 nodes run" in lines[-1]


def test_both_nodes_run_rocky_afterwards(story: Story) -> None:
    assert {each["system"] for each in story.there.values()} == {"Rocky Linux release 9.6 (Blue Onyx)\n"}


def test_host_keys_and_numbers_of_users_are_kept(story: Story) -> None:
    assert {number: each["key"] for number, each in story.there.items()} == story.before
    assert {each["munge"] for each in story.there.values()} == {"998\n"}


def test_undo_brings_centos_back_with_the_same_keys(story: Story) -> None:
    assert {each["system"] for each in story.back.values()} == {"CentOS Linux release 7.9.2009 (Core)\n"}
    assert {number: each["key"] for number, each in story.back.items()} == story.before
    assert switch_state(story, "rack1") is SwitchState.UNDONE


def test_a_broken_image_stops_at_the_canary_and_the_other_node_keeps_its_own(story: Story) -> None:
    assert "n001 failed: degraded" in story.broken
    assert "the switch wrong stopped: 1 of 1 nodes failed" in story.broken
    assert switch_state(story, "wrong") is SwitchState.STOPPED
    assert story.untouched["running"] == story.untouched["assigned"] == f"{OLD}@1"
    assert story.untouched["state"] == "ready"


def test_status_tells_what_runs_next_to_what_is_assigned(story: Story) -> None:
    canary = story.site.status("n001")

    assert (canary["running"], canary["assigned"]) == (f"{NEW}@3", f"{NEW}@3")
