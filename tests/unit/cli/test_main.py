"""The command itself: errors become a message, a hint and a status."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.cli.main import main


def failed(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    with pytest.raises(SystemExit) as caught:
        main([str(word) for word in words])
    assert caught.value.code == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err


def test_an_error_of_ours_is_a_message_and_a_hint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--root", tmp_path, "init", "--cluster", "demo", "--network", "nowhere")

    message, hint = failed(capsys, *words).splitlines()

    assert message.startswith("prov: 'nowhere' is not an IPv4 network")
    assert hint.startswith("    hint: ")


def test_what_the_system_refuses_is_its_words_and_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    words = ("init", "--cluster", "c", "--network", "10.0.0.0/16")

    assert failed(capsys, "--root", file / "site", *words) == f"prov: Not a directory: {file}/site\n"


@pytest.mark.parametrize(
    "words", [("node", "list"), ("node", "add", "n1", "--yes"), ("group", "add", "g", "--yes")]
)
def test_a_folder_that_is_no_site_is_named_before_anything_is_made_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    message, hint = failed(capsys, "--root", tmp_path, *words).splitlines()

    assert message == "prov: provisioner.yaml:0:0: there is no site here: the file does not exist"
    assert hint == "    hint: prov init --cluster NAME --network CIDR"
    assert list(tmp_path.iterdir()) == []
