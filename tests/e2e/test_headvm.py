"""A head node with systemd: the shipped unit runs the daemon without rights of root, and a node boots from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

import pytest

from provisioner.lab.cluster import Lab
from provisioner.lab.network import LabNetwork
from tests.support.headbox import head as headbox
from tests.support.headbox.box import box
from tests.support.headbox.head import ADDRESS, Head
from tests.support.realsite import mac, prov, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

_BIN = "/opt/provisioner/bin"
_SITE = f"""
groups:
  compute:
    image: debian-12
    kernel: {{args: ["console=ttyS0,115200", mitigations=off, no_timer_check]}}
nodes:
  n001: {{groups: [compute], interfaces: {{eth0: {{ip: 10.77.1.1, mac: "{mac(1)}"}}}}}}
"""
_INSTALL = f"""
set -e
{_BIN}/pip install --quiet --no-index --no-deps /payload/*.whl
"""
_SETUP = f"{_BIN}/prov setup --interface eth0 --cluster lab --no-packages"
# A program that has our port for HTTP, as a service of its own.
_SQUAT = "systemd-run --quiet --unit squatter python3 -m http.server 8080"
_LISTENS = "until ss -Hltn 'sport = :8080' | grep -q .; do sleep 0.2; done"
_BOOTABLE = """
set -e
prov image load /payload/debian-12.bundle
prov apply --yes /payload/site.yaml
"""


@dataclass(frozen=True)
class SetUp:
    """A head node, and what `prov setup` printed on the way: refused, planned, done."""

    head: Head
    refused: str
    planned: str
    done: str


@pytest.fixture(scope="module")
def made(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SetUp]:
    """A bare machine that became a head node by `prov setup`, in a lab without any other daemon."""
    folder = tmp_path_factory.mktemp("head")
    bundle, site = folder / "debian-12.bundle", folder / "site.yaml"
    prov(images.parents[1], "image", "export", "debian-12", str(bundle))
    site.write_text(_SITE)
    wheel = headbox.wheel(folder / "wheel")
    payload = {wheel.name: wheel, bundle.name: bundle, site.name: site}
    with Lab(LabNetwork(IPv4Interface("10.77.0.1/16")), folder / "lab", capture=True) as lab:
        started = headbox.start(lab, box(), payload)
        started.shell(_INSTALL)
        refused = started.shell(f"{_SQUAT}; {_LISTENS}; {_SETUP} --yes 2>&1 && exit 1; ls -d /etc/prov* || true")
        planned = started.shell(
            f"systemctl stop squatter; {_SETUP} --plan; echo status $?; ls -d /etc/prov* || true"
        )
        done = started.shell(f"{_SETUP} --yes 2>&1 || {{ journalctl -n 40 -u provisioner >&2; exit 1; }}")
        started.shell(_BOOTABLE)
        yield SetUp(started, refused, planned, done)


@pytest.fixture(scope="module")
def head(made: SetUp) -> Head:
    """The head node."""
    return made.head


def shown(head: Head, *properties: str) -> dict[str, str]:
    """Properties of the unit as systemd tells them."""
    lines = head.shell(f"systemctl show provisioner {' '.join(f'-p {each}' for each in properties)}")
    return dict(line.split("=", 1) for line in lines.splitlines())


def status(head: Head) -> dict[str, Any]:
    """What `prov status` says of the node."""
    (node,) = json.loads(head.shell("prov status --format json"))["nodes"]
    return dict(node)


def test_a_program_on_our_port_is_named_with_its_unit_and_nothing_is_changed(made: SetUp) -> None:
    assert "tcp port 8080 (HTTP) is held by python3 (pid " in made.refused
    assert "systemctl disable --now squatter.service" in made.refused
    assert "/etc/provisioner" not in made.refused


def test_a_plan_tells_every_step_and_does_none(made: SetUp) -> None:
    for line in (
        "make the user and the group provisioner",
        f"make the site lab with the network 10.77.0.0/16 at {ADDRESS}",
        "enable and start provisioner.service",
        "status 2",
    ):
        assert line in made.planned
    assert "/etc/provisioner\n" not in made.planned


def test_it_ends_with_what_the_doctor_says(made: SetUp) -> None:
    assert "the head node is set up" in made.done
    assert "fault" not in made.done.replace("no fault found", "")


def test_a_second_run_changes_nothing_and_says_so(head: Head) -> None:
    before = shown(head, "MainPID", "NRestarts")

    told = head.shell(f"{_SETUP} --yes")

    assert "nothing to do" in told
    assert shown(head, "MainPID", "NRestarts") == before
    assert head.shell(f"{_SETUP} --plan; echo status $?").endswith("status 0\n")


def test_the_unit_is_up_once_the_daemon_said_so(head: Head) -> None:
    expected = {"ActiveState": "active", "SubState": "running", "Type": "notify"}
    assert shown(head, *expected) == expected
    assert shown(head, "StatusText")["StatusText"].startswith("ready: ")


def test_the_daemon_has_no_right_of_root_but_low_ports_and_raw_frames(head: Head) -> None:
    process = shown(head, "MainPID")["MainPID"]
    lines = head.shell(f"cat /proc/{process}/status").splitlines()
    told = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}

    assert "0" not in told["Uid"]
    # CAP_NET_BIND_SERVICE is bit 10 and CAP_NET_RAW bit 13 (linux/capability.h).
    assert int(told["CapBnd"][0], 16) == 1 << 10 | 1 << 13
    assert int(told["CapEff"][0], 16) == 1 << 10 | 1 << 13
    assert told["NoNewPrivs"] == ["1"]


def test_a_machine_boots_from_it(head: Head) -> None:
    head.lab.boot("n001", mac(1))

    wait_until(lambda: status(head)["state"] in ("ready", "degraded", "failed"), "the boot of n001", 900)

    assert (status(head)["state"], status(head)["reason"]) == ("ready", "")


def test_root_may_change_the_site_and_the_daemon_serves_it(head: Head) -> None:
    seen = "prov status --format json"
    before = json.loads(head.shell(seen))["daemon"]["revision"]

    head.shell("prov group set compute --yes --tag rack=r9")

    wait_until(lambda: json.loads(head.shell(seen))["daemon"]["revision"] != before, "the daemon to serve it", 60)
    assert json.loads(head.shell(seen))["daemon"]["problems"] == []


def test_the_unit_survives_the_death_of_its_process_and_stops_cleanly(head: Head) -> None:
    before = shown(head, "MainPID")["MainPID"]
    head.shell(f"kill -9 {before}")
    # Until systemd has seen the end of the old process, that one is active too.
    old, active = {before, "0"}, {"ActiveState": "active"}
    wait_until(lambda: shown(head, "MainPID")["MainPID"] not in old, "the restart", 120)
    wait_until(lambda: shown(head, *active) == active, "it to serve again", 120)

    head.shell("systemctl stop provisioner")
    assert shown(head, "ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}
    # The other tests want it, in whatever order they run.
    head.shell("systemctl start provisioner")
