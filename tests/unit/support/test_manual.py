from __future__ import annotations

import pytest

from tests.support.manual import Command, Page, PageError

PAGE = """\
<!-- run: site lab -->
# Title

```console
$ prov node set n001 \\
    --mac 52:54:00:00:00:01
wrote nodes.d/nodes.yaml
$ cat > groups.d/a.yaml <<'END'
groups: {}
$ END
END
$ prov check
1 mistake
(exit status 1)
```

```yaml nodes.d/x.yaml wrong
nodes: {}
```
"""


def page(text: str) -> Page:
    return Page("page.md", text)


def commands(*lines: str) -> list[Command]:
    return page("\n".join(["```console", *lines, "```"])).commands


def test_the_comment_at_the_top_says_what_a_page_needs() -> None:
    assert page(PAGE).world == frozenset({"site", "lab"})
    assert page("# Title\n" * 9 + "<!-- run: site -->").world is None


def test_a_command_goes_on_after_a_backslash_and_to_the_end_of_its_here_document() -> None:
    first, second, _ = page(PAGE).commands

    assert first == Command(5, "prov node set n001 \\\n    --mac 52:54:00:00:00:01", ("wrote nodes.d/nodes.yaml",))
    assert second == Command(8, "cat > groups.d/a.yaml <<'END'\ngroups: {}\n$ END\nEND", None)


def test_the_exit_status_is_promised_in_the_last_line() -> None:
    assert page(PAGE).commands[2] == Command(12, "prov check", ("1 mistake",), status=1)


def test_a_block_with_a_path_is_a_file() -> None:
    block = page(PAGE).blocks[1]

    assert (block.language, block.file, block.wrong, block.text) == ("yaml", "nodes.d/x.yaml", True, "nodes: {}\n")


def test_what_the_reader_types_is_a_part_of_the_output() -> None:
    (command,) = commands("$ prov node delete n001", "gone: 1", "Delete 1 node? [y/N]: y", "done")

    assert command.answers == [("Delete 1 node? [y/N]:", "y")]


@pytest.mark.parametrize(
    ("output", "last"),
    [(("one", "two"), None), (("...", "two", "...", "^C"), "two"), (("...", "^C", "after"), "")],
)
def test_ctrl_c_is_typed_after_the_last_line_before_it(output: tuple[str, ...], last: str | None) -> None:
    (command,) = commands("$ prov lab console n001", *output)

    assert command.last_words == last


@pytest.mark.parametrize("first", ["# prov check", "prov check", ""])
def test_a_block_of_commands_that_starts_with_no_prompt_is_refused(first: str) -> None:
    with pytest.raises(PageError, match="line 2: "):
        commands(first)


def test_a_here_document_without_an_end_is_refused() -> None:
    with pytest.raises(PageError, match="EOF does not end"):
        commands("$ cat <<EOF", "text")


def test_a_block_without_an_end_is_refused() -> None:
    with pytest.raises(PageError, match=r"page\.md:2"):
        _ = page("text\n```console\n$ prov check\n").blocks


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("```sh\nprov check\n```\n", 1),
        ("```\nprov check\n```\n", 1),
        ("text\n\n    prov check\n", 3),
        ("text\n\n    $ ls\n", 3),
        ("- item\n\n   ```console\n   $ prov check\n   ```\n", 3),
        ("~~~console\n$ prov check\n~~~\n", 1),
        ("```text\n$ prov check\n```\n", 1),
    ],
)
def test_a_command_that_nobody_would_run_is_found(text: str, line: int) -> None:
    assert page(text).escaping[0].startswith(f"page.md:{line}: ")


@pytest.mark.parametrize(
    "text",
    [PAGE, "`prov check` names every mistake.\n\n    indented text\n", "```text\nUsage: prov [OPTIONS]\n```\n"],
)
def test_commands_in_their_place_are_left_alone(text: str) -> None:
    assert page(text).escaping == []
