"""The image store that pages of the manual share."""

from __future__ import annotations

import pytest

from tests.support.manual_world import Stores


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    """Stores to copy from; nothing is in them until a page asks."""
    return Stores(tmp_path_factory.mktemp("stores"))
