"""End-to-end tests: a lab with the real daemon, and nodes that boot the image debian-12."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.realsite import RealSite, image_store


@pytest.fixture(scope="session")
def images() -> Path:
    """An image store with debian-12, built once and kept below .cache until its ingredients change."""
    return image_store()


@pytest.fixture(scope="module")
def cluster(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealSite]:
    """A site with nodes n001 to n009 and its lab, up for all tests of a module."""
    with RealSite.make(tmp_path_factory.mktemp("site"), images) as site:
        yield site
