"""Two machines of one rack boot by TLS, behind an uplink that carries one image at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.events.history import History
from tests.support.realsite import BOOT_SECONDS, RealSite

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

NODES = ("n001", "n002")


@pytest.fixture(scope="module")
def cluster(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealSite]:
    site = RealSite.make(tmp_path_factory.mktemp("site"), images)
    file = site.paths.site_file
    # One image takes three quarters of a minute: on a busy machine one of two boots may fall behind by a half.
    file.write_text(f"{file.read_text()}pace: {{tag: rack, each: 15Mbit}}\nports: {{https: 8443}}\n")
    site.prov("node", "set", ",".join(NODES), "--yes", "--tag", "rack=r1", "--runtime-overlay", "hosts")
    with site:
        yield site


def test_both_get_ready_one_waits_for_its_turn_and_says_so_and_what_is_secret_goes_by_tls(
    cluster: RealSite,
) -> None:
    consoles = [cluster.boot(number) for number in (1, 2)]
    boots = [cluster.wait_for_boot(node, seconds=2 * BOOT_SECONDS) for node in NODES]

    assert [(boot.state, boot.reason) for boot in boots] == [("ready", ""), ("ready", "")]
    waited = [node for node in NODES if "image.waiting" in cluster.event_names(node)]
    assert len(waited) == 1
    names = cluster.event_names(waited[0])
    assert names.index("image.waiting") < names.index("image.admitted") < names.index("root.sent")
    consoles[NODES.index(waited[0])].wait_for(r"image: place 1 in the queue, about \d+ s", 10)
    for number, node in enumerate(NODES, start=1):
        assert cluster.shell(number, "cat /run/provisioner/url") == "https://10.77.0.1:8443\n"
        reports = History(cluster.paths.events).timeline(boots[number - 1].id)
        assert "runtime.applied" in {event.name for event in reports}, node
