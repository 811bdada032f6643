"""The very functions of stage 1, run by its shell, against the daemon: what it shows while it waits, and TLS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from provisioner.config.paths import shipped_data
from tests.support.daemon import ADDRESS, ROOT, URL, HeadNode, Machine, eventually, head_node

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("curl", "dash")]

STAGE1 = shipped_data() / "images/stage1/90provisioner"
# What needs a kernel line or a console, and nothing else.
FETCH = """
. "$STAGE1/stage1.sh"
WORK=$SCRATCH
argument() { [ "$1" != token ] || echo "$TOKEN"; [ "$1" != https ] || echo 8443; }
say() { echo "$*" >> "$SCRATCH/said"; }
fail() { echo "FAILED: $*" >> "$SCRATCH/said"; exit 1; }
use_head "$HEAD"
start_tls
fetch_small sheet "$WORK/sheet"
ROOT_SIZE=$(sheet root_size)
stream_root > "$WORK/image"
echo "$URL" > "$WORK/url"
report image.verified
"""


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeadNode]:
    with head_node(tmp_path_factory.mktemp("head")) as head:
        site = (head.paths.site / "provisioner.yaml").read_text()
        paced = site.replace("cidr: 10.66.0.0/24", "cidr: 10.66.0.0/24, link: 6Mbit")
        head.write("provisioner.yaml", f"{paced}ports: {{https: 8443}}\n")
        head.daemon.start()
        yield head
        head.daemon.stop()
        assert "Traceback" not in head.log()


def run_stage1(head: HeadNode, machine: Machine, scratch: Path) -> list[str]:
    """Fetch sheet and root as stage 1 does, in `scratch`; what it said on its console."""
    scratch.mkdir()
    (scratch / ".curlrc").write_text(f"interface = {machine.address}\n")
    told = {
        "STAGE1": STAGE1,
        "SCRATCH": scratch,
        "CURL_HOME": scratch,
        "HEAD": URL,
        "TOKEN": machine.start().stage1,
    }
    words = [f"{name}={value}" for name, value in told.items()]
    head.namespace.run(["env", f"PATH={os.environ['PATH']}", *words, "dash", "-c", FETCH], timeout=200)
    said = scratch / "said"
    return said.read_text().splitlines() if said.exists() else []


def test_a_node_that_waits_shows_its_place_and_gets_its_image_in_the_end(head: HeadNode, tmp_path: Path) -> None:
    machines = [head.machine() for _ in range(8)]
    folders = [tmp_path / machine.node for machine in machines]

    with ThreadPoolExecutor(len(machines)) as pool:
        said = list(pool.map(run_stage1, [head] * len(machines), machines, folders))

    assert all((folder / "image").read_bytes() == ROOT for folder in folders)
    waited = [lines for lines in said if lines]
    assert waited, "nobody had to wait"
    for line in (line for lines in waited for line in lines):
        # No attempt is counted, and nothing is said to have failed.
        assert line.startswith("image: place ")
        assert " in the queue, about " in line


def test_what_is_secret_goes_by_tls_and_the_running_system_is_told_so(head: HeadNode, tmp_path: Path) -> None:
    machine = head.machine()

    run_stage1(head, machine, tmp_path / "node")

    assert (tmp_path / "node/url").read_text() == f"https://{ADDRESS.ip}:8443\n"
    assert (tmp_path / "node/ca").read_text().startswith("-----BEGIN CERTIFICATE-----\n")
    eventually(lambda: machine.events("image.verified"))
