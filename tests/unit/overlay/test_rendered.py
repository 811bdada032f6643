"""Overlays rendered to a tree: who wins, which modes, and what a template may not do."""

from __future__ import annotations

import hashlib

import pytest

from provisioner.archive import cpio
from provisioner.archive.tree import Entry, Kind
from provisioner.errors import NotFoundError
from provisioner.overlay.rendered import OverlayKind, pack, render_tree
from provisioner.overlay.source import WrittenFiles
from provisioner.registry.collect import FileKind, SourceFile
from provisioner.render.environment import Renderer, RenderError
from tests.support import resolved


def render(files: dict[str, bytes], *names: str, links: dict[str, bytes] | None = None) -> list[Entry]:
    """The tree of overlays whose files are given by `NAME/overlay.yaml` and `NAME/rootfs/PATH`."""
    kept = {f"overlays/{path}": SourceFile(FileKind.FILE, 0o600, content) for path, content in files.items()}
    for path, target in (links or {}).items():
        kept[f"overlays/{path}"] = SourceFile(FileKind.SYMLINK, 0o777, target)
    return render_tree(WrittenFiles(kept), names or ("a",), {"who": "you"}, Renderer())


def test_a_template_loses_its_ending_and_other_files_are_copied_byte_by_byte() -> None:
    tree = render({"a/rootfs/etc/motd.j2": b"hello {{ who }}\n", "a/rootfs/bin/x": b"\xff{{ who }}"})

    assert tree == [
        Entry("bin/x", Kind.FILE, b"\xff{{ who }}"),
        Entry("etc/motd", Kind.FILE, b"hello you\n"),
    ]


def test_a_later_overlay_wins_whole_files_whatever_made_them() -> None:
    files = {"a/rootfs/f.j2": b"{{ who }}", "b/rootfs/f": b"b", "b/overlay.yaml": b"files: {f: {mode: '0600'}}"}

    assert render(files, "a", "b") == [Entry("f", Kind.FILE, b"b", mode=0o600)]
    assert render(files, "b", "a") == [Entry("f", Kind.FILE, b"you", mode=0o644)]


def test_modes_and_owners_are_the_declared_ones_and_never_those_of_the_head_node() -> None:
    files = {
        "a/overlay.yaml": b"files: {s: {mode: '4755', uid: 3, gid: 4}, made: {mode: '0400'}}",
        "a/rootfs/s": b"",
        "a/rootfs/other": b"",
        "a/rootfs/x.j2": b"{{ file('made') }}\ntext",
    }

    assert [(entry.path, entry.mode, entry.uid, entry.gid) for entry in render(files)] == [
        ("made", 0o400, 0, 0),
        ("other", 0o644, 0, 0),
        ("s", 0o4755, 3, 4),
    ]


def test_parents_are_left_to_the_image_unless_they_are_declared() -> None:
    files = {
        "a/rootfs/root/.ssh/keys": b"",
        "a/overlay.yaml": b"files: {root/.ssh: {kind: directory, mode: '0700'}}",
    }

    assert [(entry.path, entry.kind, entry.mode) for entry in render(files)] == [
        ("root/.ssh", Kind.DIRECTORY, 0o700),
        ("root/.ssh/keys", Kind.FILE, 0o644),
    ]


def test_a_declared_directory_is_0755_unless_it_says_otherwise() -> None:
    (entry,) = render({"a/overlay.yaml": b"files: {srv: {kind: directory}}"})

    assert entry == Entry("srv", Kind.DIRECTORY, mode=0o755)


def test_links_come_from_overlay_yaml_and_from_symlinks_alike() -> None:
    tree = render({"a/overlay.yaml": b"links: {etc/one: ../two}"}, links={"a/rootfs/three": b"four"})

    assert tree == [
        Entry("etc/one", Kind.SYMLINK, b"../two", mode=0o777),
        Entry("three", Kind.SYMLINK, b"four", mode=0o777),
    ]


@pytest.mark.parametrize("path", ["../x", "/etc/x", "etc/../../x", "etc//x", "./x", "etc/x/"])
def test_a_template_cannot_open_a_file_outside_the_tree(path: str) -> None:
    with pytest.raises(RenderError, match=r"overlay a: .* is not a relative path inside the tree"):
        render({"a/rootfs/x.j2": b"{{ file('%s') }}" % path.encode()})


def test_a_template_that_is_no_text_is_named() -> None:
    with pytest.raises(RenderError, match=r"overlays/a/rootfs/x\.j2 is a template but not UTF-8 text"):
        render({"a/rootfs/x.j2": b"\xff\xfe"})


def test_a_failing_template_is_named_with_its_line() -> None:
    with pytest.raises(RenderError, match=r"overlays/a/rootfs/x\.j2:2: 'nobody' is undefined"):
        render({"a/rootfs/x.j2": b"one\n{{ nobody }}\n"})


@pytest.mark.parametrize("upper", ["a", "b"])
def test_no_overlay_writes_through_a_link_of_another(upper: str) -> None:
    lower = "b" if upper == "a" else "a"
    files = {f"{lower}/rootfs/etc/x/passwd": b""}

    with pytest.raises(
        RenderError, match=f"overlay {lower} makes etc/x/passwd, but overlay {upper} makes the symlink etc/x$"
    ):
        render(files, "a", "b", links={f"{upper}/rootfs/etc/x": b"/"})


def test_a_path_cannot_be_a_file_in_one_overlay_and_a_directory_in_another() -> None:
    with pytest.raises(RenderError, match=r"overlay b makes srv/x/y, but overlay a makes the file srv$"):
        render({"a/rootfs/srv": b"", "b/rootfs/srv/x/y": b""}, "a", "b")


def test_a_later_overlay_may_turn_a_link_into_a_directory() -> None:
    files = {"b/rootfs/srv/x": b"", "b/overlay.yaml": b"files: {srv: {kind: directory}}"}

    assert [entry.path for entry in render(files, "a", "b", links={"a/rootfs/srv": b"/"})] == ["srv", "srv/x"]


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        (b"files: {etc/kye: {mode: '0600'}}", "declares the file etc/kye, but the overlay makes nothing there"),
        (
            b"files: {etc/link: {mode: '0600'}}",
            "declares the file etc/link, but the overlay makes a symlink there",
        ),
        (
            b"files: {etc/key: {kind: directory}}",
            "declares the directory etc/key, but the overlay makes a file there",
        ),
    ],
)
def test_a_declared_path_that_the_overlay_does_not_make_is_an_error(declared: bytes, told: str) -> None:
    files = {"a/rootfs/etc/key": b"secret", "a/overlay.yaml": declared}

    with pytest.raises(RenderError, match=f"overlays/a/overlay.yaml {told}"):
        render(files, links={"a/rootfs/etc/link": b"key"})


def test_an_overlay_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(NotFoundError, match="there is no overlay b"):
        render({"a/rootfs/x": b""}, "a", "b")


def test_the_archive_of_a_tree_is_named_by_its_digest_and_depends_on_nothing_else() -> None:
    tree = render({"a/rootfs/x": b"1", "a/rootfs/y": b"2"})

    packed = pack(tree)

    assert packed == pack(list(tree))
    assert packed.archive == cpio.pack(tree)
    assert packed.sha256 == hashlib.sha256(packed.archive).hexdigest()


def test_a_file_that_no_archive_can_hold_is_an_error() -> None:
    with pytest.raises(RenderError, match="ends an archive"):
        pack(render({f"a/rootfs/{cpio.TRAILER}": b""}))


def test_a_node_has_system_overlays_and_runtime_overlays() -> None:
    node = resolved.node(system_overlays=("base", "ssh"), runtime_overlays=("hosts",))

    assert OverlayKind.SYSTEM.names(node) == ("base", "ssh")
    assert OverlayKind.RUNTIME.names(node) == ("hosts",)


@pytest.mark.parametrize(
    "source",
    [
        "{{ 9 ** 9 ** 9 }}",
        "{{ 5 | dictsort }}",
        r"{{ '\ud800' }}",
        "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
        "{{ 1 / 0 }}",
        "{{ [][1] }}",
        "{{ 1 + 'z' }}",
    ],
)
def test_whatever_a_template_does_wrong_is_told_with_its_name_and_line(source: str) -> None:
    with pytest.raises(RenderError, match=r"^overlays/a/rootfs/x\.j2:1: "):
        render({"a/rootfs/x.j2": source.encode()})
