"""Overlays as they are written: what overlay.yaml may say, and where a mistake in it stands."""

from __future__ import annotations

import pytest

from provisioner.errors import ConfigError, NotFoundError, Problem
from provisioner.overlay.source import Declared, DeclaredKind, Overlay, WrittenFiles, overlay_names
from provisioner.registry.collect import FileKind, SourceFile


def revision(**files: bytes) -> WrittenFiles:
    """The overlay `x` with these files; `yaml` is its overlay.yaml."""
    named = {f"rootfs/{name}": content for name, content in files.items() if name != "yaml"}
    if "yaml" in files:
        named["overlay.yaml"] = files["yaml"]
    return WrittenFiles(
        {f"overlays/x/{name}": SourceFile(FileKind.FILE, 0o644, content) for name, content in named.items()}
    )


def problem_of(yaml: bytes) -> Problem:
    with pytest.raises(ConfigError) as caught:
        Overlay(revision(yaml=yaml), "x")
    (problem,) = caught.value.problems
    return problem


def test_an_overlay_has_a_description_and_the_paths_of_its_files_in_order() -> None:
    overlay = Overlay(revision(yaml=b"description: a greeting\n", b=b"2", a=b"1"), "x")

    assert (overlay.declared.description, overlay.paths) == ("a greeting", ("a", "b"))
    assert overlay.read("b") == b"2"


def test_an_overlay_needs_no_overlay_yaml() -> None:
    assert Overlay(revision(a=b"1"), "x").declared.files == {}


def test_an_empty_overlay_yaml_declares_nothing() -> None:
    assert Overlay(revision(yaml=b"", a=b"1"), "x").declared.files == {}


def test_owner_mode_and_kind_are_declared_by_path() -> None:
    declared = Overlay(
        revision(yaml=b"files: {var/x: {kind: directory, mode: '2750', uid: 1, gid: 2}}"), "x"
    ).declared

    assert declared.files == {"var/x": Declared(kind=DeclaredKind.DIRECTORY, mode=0o2750, uid=1, gid=2)}


@pytest.mark.parametrize(
    ("yaml", "place", "message"),
    [
        (b"descripton: x\n", (1, 1), "unknown key 'descripton'"),
        (b"files:\n  etc/x: {mode: '0999'}\n", (2, 17), "'0999' is not a file mode"),
        (b"files:\n  etc/x: {mode: rw}\n", (2, 17), "'rw' is not a file mode"),
        (b"files:\n  /etc/x: {}\n", (2, 3), "'/etc/x' is not a relative path inside the tree"),
        (b"links:\n  ../x: y\n", (2, 3), "'../x' is not a relative path inside the tree"),
        (b"files:\n  etc/x: {uid: -1}\n", (2, 16), "greater than or equal to 0"),
        (b"files:\n  etc/x: {kind: pipe}\n", (2, 17), "'file', 'directory' or 'link'"),
        (b"files: [\n", (2, 1), ""),
    ],
)
def test_a_mistake_is_named_with_file_line_and_column(yaml: bytes, place: tuple[int, int], message: str) -> None:
    problem = problem_of(yaml)

    assert problem.file == "overlays/x/overlay.yaml"
    assert (problem.line, problem.column) == place
    assert message in problem.message


def test_an_overlay_yaml_that_is_no_text_is_a_mistake_of_that_file() -> None:
    assert str(problem_of(b"\xff\xfe")).startswith("overlays/x/overlay.yaml:0:0: the file is not UTF-8 text")


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Overlay(revision(yaml=b"links: {/a: b}\nfiles: {c: {mode: rw}, d: {colour: red}}\n"), "x")

    assert [problem.line for problem in caught.value.problems] == [1, 2, 2]


def test_an_overlay_that_does_not_exist_is_an_error_with_the_command_that_lists_them() -> None:
    with pytest.raises(NotFoundError, match="there is no overlay y") as caught:
        Overlay(revision(a=b"1"), "y")

    assert caught.value.hint is not None
    assert "prov overlay list" in caught.value.hint


def test_an_overlay_is_not_taken_for_another_one_that_starts_with_its_name() -> None:
    files = {f"overlays/{name}/rootfs/f": SourceFile(FileKind.FILE, 0o644, b"") for name in ("net", "network")}

    assert Overlay(WrittenFiles(files), "net").paths == ("f",)
    assert overlay_names(WrittenFiles(files)) == ["net", "network"]
