"""Every command of the README and of docs/ is run; those for virtual machines in tests/e2e/test_manual.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.support.manual import Page
from tests.support.manual_pages import NOT_RUN, PAGES, left_out, quick
from tests.support.manual_reader import follow
from tests.support.manual_world import WORDS, Stores

pytestmark = pytest.mark.integration

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@pytest.mark.root
@pytest.mark.timeout(300)
@pytest.mark.needs("unshare", "dracut", "mksquashfs", "sqlite3")
@pytest.mark.parametrize("page", quick(), ids=lambda page: page.name)
def test_a_page_does_what_it_says(page: Page, tmp_path: Path, stores: Stores) -> None:
    follow(page, tmp_path, stores, left_out(page))


@each_page
def test_no_command_of_a_page_escapes_from_being_run(page: Page) -> None:
    assert page.escaping == []


@each_page
def test_a_page_with_commands_says_what_they_find(page: Page) -> None:
    assert bool(page.commands) == bool(page.world)
    assert (page.world or frozenset()) <= WORDS


@each_page
def test_every_yaml_block_of_a_page_is_yaml(page: Page) -> None:
    for block in page.blocks:
        if block.language == "yaml":
            yaml.safe_load(block.text)


def test_every_command_that_is_not_run_still_stands_in_its_page() -> None:
    assert set(NOT_RUN) <= {(page.name, command.text) for page in PAGES for command in page.commands}
