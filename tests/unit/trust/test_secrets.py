"""The files of secrets: their modes, names and bounds, and the credentials that go before them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import NotFoundError, ProvisionerError, UnavailableError
from provisioner.trust.secrets import LARGEST, SecretFolder, Shape


@pytest.fixture
def folder(tmp_path: Path) -> SecretFolder:
    return SecretFolder.of(tmp_path, {})


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret_comes_back_to_the_byte_and_is_closed_to_others(folder: SecretFolder) -> None:
    folder.write("munge", b"\xff\0 key\n")

    assert folder.content("munge") == b"\xff\0 key\n"
    assert (mode(folder.folder), mode(folder.folder / "munge")) == (0o700, 0o600)
    assert folder.problems() == ()


def test_an_older_folder_that_is_open_is_closed_before_a_secret_is_in_it(folder: SecretFolder) -> None:
    folder.folder.mkdir(mode=0o755)

    folder.write("munge", b"key")

    assert mode(folder.folder) == 0o700


def test_a_secret_is_replaced_and_deleted(folder: SecretFolder) -> None:
    folder.write("a", b"one")
    folder.write("a", b"two")
    assert (folder.names(), folder.content("a")) == (("a",), b"two")

    folder.delete("a")

    assert folder.names() == ()
    with pytest.raises(NotFoundError, match="there is no secret a"):
        folder.delete("a")


def test_a_secret_that_is_not_there_says_how_it_is_set(folder: SecretFolder) -> None:
    with pytest.raises(NotFoundError, match="there is no secret munge") as caught:
        folder.content("munge")

    assert caught.value.hint == "prov secret set munge"
    assert not folder.has("munge")


@pytest.mark.parametrize("name", ["", ".", "..", "../munge", "a/b", ".hidden", "a b", "x" * 64, "a\n"])
def test_a_name_that_is_no_name_leads_to_no_file(folder: SecretFolder, name: str) -> None:
    for act in (folder.content, folder.has, folder.delete, lambda each: folder.write(each, b"x")):
        with pytest.raises(ProvisionerError, match="cannot be the name of a secret"):
            act(name)


@pytest.mark.parametrize("size", [0, LARGEST + 1])
def test_nothing_and_too_much_are_no_secrets(folder: SecretFolder, size: int) -> None:
    with pytest.raises(ProvisionerError, match=f"1 to {LARGEST} bytes|is empty|more than") as caught:
        folder.write("a", bytes(size))

    assert caught.value.hint == f"a secret has 1 to {LARGEST} bytes"
    assert not folder.folder.exists()


def test_the_largest_secret_is_one(folder: SecretFolder) -> None:
    folder.write("a", bytes(LARGEST))

    assert len(folder.content("a")) == LARGEST


def test_a_file_that_grew_past_the_bound_by_hand_is_not_read(folder: SecretFolder) -> None:
    folder.write("a", b"x")
    (folder.folder / "a").write_bytes(bytes(LARGEST + 1))

    with pytest.raises(UnavailableError, match="more than 1 MiB"):
        folder.content("a")


def test_what_is_no_regular_file_holds_nobody(folder: SecretFolder) -> None:
    (folder.folder / "a").mkdir(parents=True)

    with pytest.raises(UnavailableError, match="the secret a cannot be read"):
        folder.content("a")


def test_a_credential_goes_before_the_file_and_other_credentials_are_none_of_ours(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "provisioner.secret.munge").write_bytes(b"handed over")
    (credentials / "other").write_bytes(b"not ours")
    folder = SecretFolder.of(tmp_path, {"CREDENTIALS_DIRECTORY": str(credentials)})
    folder.write("munge", b"file")
    folder.write("app", b"file")

    assert (folder.content("munge"), folder.content("app")) == (b"handed over", b"file")
    assert not folder.has("other")
    folder.delete("munge")
    assert folder.content("munge") == b"handed over"


def test_who_else_can_read_a_secret_is_a_problem_with_the_command_that_mends_it(folder: SecretFolder) -> None:
    folder.write("munge", b"key")
    (folder.folder / "munge").chmod(0o640)
    folder.folder.chmod(0o755)

    found = folder.problems()

    assert [each.file for each in found] == ["secrets", "secrets/munge"]
    assert [each.hint for each in found] == [
        f"chmod 0700 {folder.folder}",
        f"chmod 0600 {folder.folder}/munge",
    ]


def test_what_lies_beside_secrets_is_named_and_what_is_being_written_is_not(folder: SecretFolder) -> None:
    folder.write("munge", b"key")
    (folder.folder / ".munge.x1y2").write_bytes(b"half")
    (folder.folder / "munge~").write_bytes(b"old")

    assert [each.file for each in folder.problems()] == ["secrets/munge~"]
    assert folder.names() == ("munge",)


def test_a_value_in_clear_is_itself_and_a_reference_what_it_names(folder: SecretFolder) -> None:
    folder.write("bmc", b"calvin\n")
    folder.write("raw", b"\xff")

    assert folder.revealed("tiger") == "tiger"
    assert folder.revealed("secret:bmc") == "calvin"
    with pytest.raises(ProvisionerError, match="raw is no text"):
        folder.revealed("secret:raw")


@pytest.mark.parametrize(
    ("content", "shape"),
    [
        (b"one", Shape.LINE),
        (b"one\n", Shape.LINE),
        (b"one\ntwo", Shape.LINES),
        (b"\n\n", Shape.LINES),
        (b"\xff", Shape.BYTES),
        (b"a\0b", Shape.BYTES),
    ],
)
def test_a_secret_has_the_shape_that_decides_where_it_can_be_printed(content: bytes, shape: Shape) -> None:
    assert Shape.of(content) is shape


@given(st.binary(max_size=64))
def test_a_line_is_text_with_at_most_one_line_break_at_its_end(content: bytes) -> None:
    is_line = Shape.of(content) is Shape.LINE

    assert is_line == (
        content.decode(errors="replace").encode() == content and b"\n" not in content[:-1] and 0 not in content
    )


def test_what_lies_there_instead_of_secrets_is_named_and_stops_nobody(folder: SecretFolder) -> None:
    folder.write("good", b"key")
    (folder.folder / "circle").symlink_to("circle")
    (folder.folder / "empty").touch(mode=0o600)
    (folder.folder / "long").touch(mode=0o600)
    os.truncate(folder.folder / "long", LARGEST + 1)
    (folder.folder / "sub").mkdir()

    assert [(each.file, each.message) for each in folder.problems()] == [
        ("secrets/circle", "this is not a secret, and nothing reads it"),
        ("secrets/empty", f"it has 0 bytes; a secret has 1 to {LARGEST}"),
        ("secrets/long", f"it has {LARGEST + 1} bytes; a secret has 1 to {LARGEST}"),
        ("secrets/sub", "this is not a secret, and nothing reads it"),
    ]
    assert folder.names() == ("empty", "good", "long")
    with pytest.raises(UnavailableError, match="the secret circle cannot be read"):
        folder.content("circle")
    with pytest.raises(ProvisionerError, match="sub is a folder"):
        folder.write("sub", b"key")


def test_a_file_in_the_place_of_the_folder_is_named(folder: SecretFolder) -> None:
    folder.folder.touch()

    (problem,) = folder.problems()

    assert (problem.file, problem.message) == ("secrets", "there is a file where a folder belongs")
    assert folder.names() == ()
    assert not folder.has("munge")
