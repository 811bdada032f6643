"""What the reader of the manual takes for right, and what it says of a page that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.manual import Page
from tests.support.manual_reader import follow
from tests.support.manual_world import Stores

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("unshare", "ip")]


def page(*lines: str, world: str = "none") -> Page:
    return Page("docs/page.md", "\n".join([f"<!-- run: {world} -->", *lines, ""]))


def console(*lines: str) -> list[str]:
    return ["```console", *lines, "```"]


def complaint(text: Page, folder: Path, stores: Stores) -> str:
    with pytest.raises(AssertionError) as caught:
        follow(text, folder, stores)
    return str(caught.value)


def test_the_commands_of_a_page_share_one_shell(tmp_path: Path, stores: Stores) -> None:
    blocks = [*console("$ mkdir rack && cd rack"), "text", *console("$ pwd", "/tmp/rack")]

    follow(page(*blocks), tmp_path, stores)

    assert (tmp_path / "tmp" / "rack").is_dir()


def test_a_page_touches_neither_the_files_nor_the_network_of_the_machine(tmp_path: Path, stores: Stores) -> None:
    mark = tmp_path.name
    commands = [f"$ touch /tmp/{mark} /srv/{mark}", "$ ip -brief link | wc -l", "1"]

    follow(page(*console(*commands)), tmp_path, stores)

    assert not Path("/tmp", mark).exists()
    assert not Path("/srv", mark).exists()


def test_other_output_is_told_with_page_line_command_and_difference(tmp_path: Path, stores: Stores) -> None:
    text = complaint(page("text", *console("$ true", "$ printf 'one\\ntwo\\n'", "one", "three")), tmp_path, stores)

    assert text.startswith("docs/page.md:5: exit status 0, wanted 0\n$ printf 'one\\ntwo\\n'\n")
    assert text.splitlines()[-3:] == [" one", "-three", "+two"]


def test_output_that_nobody_promised_is_no_mistake_but_a_failure_is(tmp_path: Path, stores: Stores) -> None:
    text = complaint(page(*console("$ echo fine", "$ echo broken; false")), tmp_path, stores)

    assert text == "docs/page.md:4: exit status 1, wanted 0\n$ echo broken; false\nbroken\n"


def test_a_promised_failure_must_come(tmp_path: Path, stores: Stores) -> None:
    right = console("$ prov check", "...there is no site here...", "...", "(exit status 1)")
    follow(page(*right), tmp_path / "right", stores)

    text = complaint(page(*console("$ true", "(exit status 2)")), tmp_path / "wrong", stores)

    assert text.startswith("docs/page.md:3: exit status 0, wanted 2\n")


def test_a_question_is_answered_as_the_page_shows(tmp_path: Path, stores: Stores) -> None:
    ask = "$ read -r -p 'Change 4 nodes? [y/N] ' a; echo $a"

    follow(page(*console(ask, "Change 4 nodes? [y/N] y", "y")), tmp_path / "right", stores)
    text = complaint(page(*console(ask)), tmp_path / "wrong", stores)

    assert text.startswith("docs/page.md:3: asks, and the page does not answer, wanted 0\n")


def test_a_file_of_the_site_is_written_and_checked(tmp_path: Path, stores: Stores) -> None:
    good = ["```yaml nodes.d/a.yaml", "nodes:", "  n001: {tags: {rack: r1}}", "```"]
    bad = ["```yaml nodes.d/b.yaml", "nodes:", "  n002: {tag: {rack: r1}}", "```"]
    shown = ["```yaml nodes.d/b.yaml wrong", *bad[1:]]

    follow(page(*good, *console("$ cat site/nodes.d/a.yaml", *good[1:3]), *shown, world="site"), tmp_path, stores)

    text = complaint(page(*good, *bad, world="site"), tmp_path / "bad", stores)
    assert text.startswith("docs/page.md:6: with this nodes.d/b.yaml, prov check says:\nnodes.d/b.yaml:2:")


def test_a_daemon_serves_what_a_page_writes(tmp_path: Path, stores: Stores) -> None:
    added = ["```yaml nodes.d/more.yaml", "nodes:", "  n005: {groups: [compute]}", "```"]
    before = ["$ prov status", "daemon ..., process …, revision a676e43b235d70d1", "...", "n004 ..."]
    after = ["$ prov status", "daemon ..., process …, revision fe04d1fbd967b9a6", "...", "n005 ..."]

    text = page(*console(*before), *added, *console(*after), world="nodes daemon")

    follow(text, tmp_path, stores)


def test_a_world_that_nobody_knows_is_refused(tmp_path: Path, stores: Stores) -> None:
    assert "moon" in complaint(page(*console("$ true"), world="moon"), tmp_path, stores)
