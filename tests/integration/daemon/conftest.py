"""A head node whose daemon each test starts, kills and stops as it needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from provisioner.operations import live
from tests.support.daemon import HeadNode, head_node


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeadNode]:
    """One head node a module, its daemon not started."""
    with head_node(tmp_path_factory.mktemp("head")) as head:
        yield head


@pytest.fixture
def head(house: HeadNode) -> Iterator[HeadNode]:
    """The head node of the module with its daemon running, the site as it was first written."""
    house.write_site()
    if house.daemon.running:
        live.reload(house.paths)
    else:
        house.daemon.start()
    yield house
    assert "Traceback" not in house.log()
