"""A real machine boots while strangers attack the daemon; see tests/integration/daemon/test_flood.py."""

from __future__ import annotations

import sys
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from provisioner.lab.network import BRIDGE
from provisioner.lab.storm.cabling import cable
from tests.integration.daemon.test_flood import ATTACKER, HALF_OPEN, SLOW
from tests.support.realsite import RealSite
from tests.support.world import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

FIRST = IPv4Address("10.77.9.1")
ADDRESSES = [FIRST + number for number in range(100)]


def test_a_real_machine_boots_while_the_daemon_is_attacked(cluster: RealSite, tmp_path: Path) -> None:
    log = tmp_path / "attacker.log"
    with cable(cluster.lab.namespace.first.pid, relay=FIRST, prefix=16) as strangers, log.open("wb") as output:
        cluster.lab.run(["ip", "link", "set", "storm0", "master", BRIDGE])
        for address in ADDRESSES[1:]:
            strangers.run(["ip", "address", "add", f"{address}/16", "dev", "uplink"])
        sources = ",".join(map(str, ADDRESSES))
        head = str(cluster.lab.network.head.ip)
        words = (sys.executable, ATTACKER, head, str(FIRST), sources, str(HALF_OPEN), str(SLOW))
        attacker = strangers.spawn(words, output=output, cwd=tmp_path)
        until(lambda: "all at once" in log.read_text(), patience=240)

        cluster.boot(1)
        boot = cluster.wait_for_boot("n001")

        assert (boot.state, boot.reason) == ("ready", "")
        assert attacker.running, log.read_text()
