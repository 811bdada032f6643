"""The pages of the manual whose commands build images or boot virtual machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.manual import Page
from tests.support.manual_pages import left_out, slow
from tests.support.manual_reader import follow
from tests.support.manual_world import Stores

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("page", slow(), ids=lambda page: page.name)
def test_a_page_does_what_it_says(page: Page, tmp_path: Path) -> None:
    follow(page, tmp_path, Stores(tmp_path / "stores"), left_out(page))
