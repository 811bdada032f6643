"""A head node with systemd: the shipped unit runs the daemon without rights of root, and a node boots from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

import pytest

from provisioner.lab.cluster import Lab
from provisioner.lab.network import LabNetwork
from tests.support.headbox import head as headbox
from tests.support.headbox.box import CHECKOUT, box
from tests.support.headbox.head import ADDRESS, Head
from tests.support.realsite import mac, prov, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

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
ln -sf {_BIN}/prov /usr/bin/prov
install -m 644 /payload/systemd/provisioner.service /etc/systemd/system/
install -D -m 644 /payload/systemd/sysusers.conf /usr/lib/sysusers.d/provisioner.conf
install -D -m 644 /payload/systemd/tmpfiles.conf /usr/lib/tmpfiles.d/provisioner.conf
systemd-sysusers && systemd-tmpfiles --create
prov init --cluster lab --network 10.77.0.0/16 --server {ADDRESS}
prov image load /payload/debian-12.bundle
prov apply --yes /payload/site.yaml
systemctl daemon-reload
systemctl start provisioner || {{ journalctl --no-pager --unit provisioner --lines 40 >&2; exit 1; }}
"""


@pytest.fixture(scope="module")
def head(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    """A head node on which the product is installed and started, in a lab without any other daemon."""
    folder = tmp_path_factory.mktemp("head")
    bundle, site = folder / "debian-12.bundle", folder / "site.yaml"
    prov(images.parents[1], "image", "export", "debian-12", str(bundle))
    site.write_text(_SITE)
    wheel = headbox.wheel(folder / "wheel")
    payload = {wheel.name: wheel, bundle.name: bundle, site.name: site, "systemd": CHECKOUT / "packaging/systemd"}
    with Lab(LabNetwork(IPv4Interface("10.77.0.1/16")), folder / "lab", capture=True) as lab:
        started = headbox.start(lab, box(), payload)
        started.shell(_INSTALL)
        yield started


def shown(head: Head, *properties: str) -> dict[str, str]:
    """Properties of the unit as systemd tells them."""
    lines = head.shell(f"systemctl show provisioner {' '.join(f'-p {each}' for each in properties)}")
    return dict(line.split("=", 1) for line in lines.splitlines())


def status(head: Head) -> dict[str, Any]:
    """What `prov status` says of the node."""
    (node,) = json.loads(head.shell("prov status --format json"))["nodes"]
    return dict(node)


def test_the_unit_is_up_once_the_daemon_said_so(head: Head) -> None:
    expected = {"ActiveState": "active", "SubState": "running", "Type": "notify"}
    assert shown(head, *expected) == expected
    assert shown(head, "StatusText")["StatusText"].startswith("ready: 1 nodes")


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

    wait_until(lambda: status(head)["state"] in ("ready", "degraded", "failed"), "the boot of n001", 600)

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
    wait_until(lambda: shown(head, "ActiveState")["ActiveState"] == "active", "the restart", 120)

    assert shown(head, "MainPID")["MainPID"] != before
    head.shell("systemctl stop provisioner")
    assert shown(head, "ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}
    # The other tests want it, in whatever order they run.
    head.shell("systemctl start provisioner")
