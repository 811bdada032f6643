"""One running daemon for all tests of a module, on a site whose nodes can all be rendered in a moment."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from provisioner.operations import live
from tests.support.daemon import ADDRESS, HeadNode, head_node

SITE = f"""\
cluster: demo
networks:
  provision: {{cidr: {ADDRESS.network}, domain: cluster.local, pool: 10.66.0.200-10.66.0.220}}
"""
_GROUPS = "groups: {compute: {image: demo, overlays: {system: [hostname, agent]}}}\n"
# The machines that `HeadNode.machine` gives, each with the address of its node.
_NODES = "nodes:\n  n[001-060]: {groups: [compute], interfaces: {eth0: {ip: 10.66.0.102+}}}\n" + "".join(
    f'  n{number:03}: {{interfaces: {{eth0: {{mac: "52:54:00:00:00:{number:02x}"}}}}}}\n'
    for number in range(1, 61)
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeadNode]:
    """One head node a module."""
    with head_node(tmp_path_factory.mktemp("head")) as head:
        _write(head)
        head.daemon.start()
        yield head
        head.daemon.stop()
        assert "Traceback" not in head.log()


@pytest.fixture
def head(house: HeadNode) -> HeadNode:
    """The head node with the site as it was first written."""
    _write(house)
    live.reload(house.paths)
    return house


def _write(head: HeadNode) -> None:
    shutil.rmtree(head.paths.site / "overlays", ignore_errors=True)
    for path in head.paths.node_files.glob("*"):
        path.unlink()
    files = {"provisioner.yaml": SITE, "groups.d/compute.yaml": _GROUPS, "nodes.d/rack1.yaml": _NODES}
    for name, text in files.items():
        head.write(name, text)
