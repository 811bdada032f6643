"""The metrics of a real daemon: clean for Prometheus' own checker, counted from real boots, on loopback alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from provisioner.errors import CommandError
from provisioner.host.run import run
from provisioner.operations import live
from tests.support import unpacked
from tests.support.daemon import ADDRESS, HeadNode, eventually
from tests.support.realsite import CHECKOUT

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("curl", "ip")]

PORT = 9798
PAGE = f"http://127.0.0.1:{PORT}/metrics"
SITE = "provisioner.yaml"


@pytest.fixture
def head(house: HeadNode) -> Iterator[HeadNode]:
    """A head node that has metrics."""
    house.write_site()
    house.write(SITE, (house.paths.site / SITE).read_text() + f"ports: {{metrics: {PORT}}}\n")
    if house.daemon.running:
        live.reload(house.paths)
    else:
        house.daemon.start()
    yield house
    assert "Traceback" not in house.log()


def page(head: HeadNode) -> str:
    return head.namespace.run(["curl", "--silent", "--show-error", "--fail", "--max-time", "20", PAGE])


def value(text: str, sample: str) -> float:
    """The value of one sample by its name and labels; 0 where there is none yet."""
    found = re.search(rf"^{re.escape(sample)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_prometheus_finds_nothing_wrong_with_the_page(head: HeadNode) -> None:
    machine = head.machine()
    machine.report(machine.hand_over(), "system.report", state="running")
    machine.reaches("ready")

    run([unpacked.program("usr/bin/promtool"), "check", "metrics"], stdin=page(head).encode())


def test_a_boot_is_counted_and_its_stages_are_measured(head: HeadNode) -> None:
    machine, before = head.machine(), page(head)
    ready, under_way = 'provisioner_boots_total{image="demo",outcome="ready"}', "provisioner_boots_under_way"
    stage = 'provisioner_boot_stage_seconds_count{image="demo",stage="handover"}'

    token = machine.hand_over()
    assert value(page(head), under_way) == value(before, under_way) + 1
    machine.report(token, "system.report", state="running")

    eventually(lambda: value(page(head), ready) == value(before, ready) + 1)
    after = page(head)
    assert value(after, under_way) == value(before, under_way)
    assert value(after, stage) == value(before, stage) + 1
    nodes = re.findall(r'^provisioner_nodes\{state="[^"]+"\} (\S+)$', after, re.MULTILINE)
    assert sum(map(float, nodes)) == 63
    assert f'provisioner_revision_info{{revision="{head.revision}"}} 1.0' in after


def test_nodes_cannot_reach_the_page(head: HeadNode) -> None:
    page(head)

    with pytest.raises(CommandError):
        head.namespace.run(["curl", "--silent", "--max-time", "5", f"http://{ADDRESS.ip}:{PORT}/metrics"])
    assert head.machine().get("/metrics").status == 404


def test_another_port_wants_a_restart_and_says_so(head: HeadNode) -> None:
    head.write(SITE, (head.paths.site / SITE).read_text().replace(str(PORT), str(PORT + 1)))

    eventually(lambda: "restart prov serve" in str(head.status()["daemon"]["problems"]))
    page(head)


def test_the_alert_rules_that_ship_are_rules_about_metrics_that_there_are(head: HeadNode) -> None:
    rules = CHECKOUT / "packaging/prometheus/provisioner.rules.yml"
    run([unpacked.program("usr/bin/promtool"), "check", "rules", rules])

    named = set(re.findall(r"provisioner_[a-z_]+", rules.read_text()))
    told = page(head)
    assert named
    assert {name for name in named if f"# TYPE {name.removesuffix('_bucket')} " not in told} == set()
