"""One running daemon for all tests of a module; every test takes machines of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.daemon import HeadNode, Machine, head_node


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeadNode]:
    with head_node(tmp_path_factory.mktemp("head")) as head:
        head.daemon.start()
        yield head
        head.daemon.stop()
        assert "Traceback" not in head.log()


@pytest.fixture
def machine(head: HeadNode) -> Machine:
    return head.machine()
