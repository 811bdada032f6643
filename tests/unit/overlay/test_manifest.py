"""What overlays declare and no archive can carry: which overlay wins, what is refused, and how it is written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.archive.tree import Entry, Kind
from provisioner.errors import ConfigError
from provisioner.overlay.manifest import MANIFEST
from provisioner.overlay.rendered import pack, render_tree
from provisioner.overlay.source import WrittenFiles
from provisioner.registry.collect import FileKind, SourceFile
from provisioner.render.environment import Renderer, RenderError

Written = tuple[str, dict[str, str]]
Overlays = dict[str, Written]


def render(overlays: Overlays) -> list[Entry]:
    """The tree of overlays given as their overlay.yaml and their files."""
    files = {
        f"overlays/{name}/{path}": SourceFile(FileKind.FILE, 0o644, text.encode())
        for name, (declared, made) in overlays.items()
        for path, text in {"overlay.yaml": declared, **{f"rootfs/{each}": made[each] for each in made}}.items()
    }
    return render_tree(WrittenFiles(files), list(overlays), {}, Renderer())


def manifest(overlays: Overlays) -> list[str]:
    """The lines of their manifest, words parted by spaces; none without a manifest."""
    found = {entry.path: entry.content.decode() for entry in render(overlays)}
    return found.get(MANIFEST, "").replace("\t", " ").splitlines()


def test_without_declarations_nothing_is_added_to_the_archive() -> None:
    tree = render({"a": ("files: {etc/x: {mode: '0600'}}", {"etc/x": "x"})})

    assert tree == [Entry("etc/x", Kind.FILE, b"x", mode=0o600)]


def test_the_manifest_is_the_first_file_of_the_archive() -> None:
    tree = render({"a": ("remove: [etc/y]", {"etc/x": "x"})})

    assert tree[0] == Entry(MANIFEST, Kind.FILE, b"remove\tetc/y\n")
    assert pack(tree) == pack(render({"a": ("remove: [etc/y]", {"etc/x": "x"})}))


def test_a_bare_selinux_type_becomes_a_context_and_a_whole_one_stays() -> None:
    declared = (
        "files: {a: {selinux: sshd_key_t}, b: {selinux: 'u_u:r_r:t_t:s0:c1'}, c: {capabilities: cap_chown=ep}}"
    )

    assert manifest({"a": (declared, {"a": "", "b": "", "c": ""})}) == [
        "selinux system_u:object_r:sshd_key_t:s0 a",
        "selinux u_u:r_r:t_t:s0:c1 b",
        "capabilities cap_chown=ep c",
    ]


def test_the_overlay_that_makes_a_file_says_its_label_and_no_other() -> None:
    labelled = ("files: {f: {selinux: a_t}}", {"f": "a"})

    assert manifest({"a": labelled, "b": ("{}", {"f": "b"})}) == []
    assert manifest({"b": ("{}", {"f": "b"}), "a": labelled}) == ["selinux system_u:object_r:a_t:s0 f"]


def test_a_removal_takes_files_of_earlier_overlays_and_a_later_one_brings_them_back() -> None:
    made: Written = ("{}", {"etc/d/x": "x", "etc/dx": "y"})
    removing: Written = ("remove: [etc/d]", {})

    assert [entry.path for entry in render({"a": made, "b": removing})] == [MANIFEST, "etc/dx"]
    assert [entry.path for entry in render({"b": removing, "a": made})] == [MANIFEST, "etc/d/x", "etc/dx"]
    assert manifest({"b": ("remove: [etc/dx]", {}), "a": made}) == []


def test_units_of_all_overlays_are_told_with_their_patterns_each_once() -> None:
    one, two = "services: {b.service: [etc/b, 'etc/c/*']}", "services: {a.socket: [etc/a], b.service: [etc/b]}"

    assert manifest({"a": (one, {}), "b": (f"uses: [a]\n{two}", {"etc/b": ""})}) == [
        "service a.socket etc/a",
        "service b.service etc/b",
        "service b.service etc/c/*",
    ]


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ("remove: [../etc]", "not a relative path inside the tree"),
        ("remove: [/etc/x]", "not a relative path inside the tree"),
        ("remove: ['.']", "cannot be removed"),
        ("remove: [proc/1]", "cannot be removed"),
        ("remove: [run]", "cannot be removed"),
        ('remove: ["a\\tb"]', "control character"),
        ('services: {a.service: ["a\\nb"]}', "control character"),
        ("services: {'a b.service': [x]}", "is not the name of a systemd unit"),
        ("services: {'$(x).service': [x]}", "is not the name of a systemd unit"),
        ("services: {--now: [x]}", "is not the name of a systemd unit"),
        ("files: {f: {selinux: 'a b'}}", "is no SELinux type or context"),
        ("files: {f: {selinux: '-R'}}", "is no SELinux type or context"),
        ("files: {f: {capabilities: everything}}", "names no capabilities"),
        ('files: {f: {capabilities: "cap_chown=ep\\n"}}', "names no capabilities"),
    ],
)
def test_a_hostile_declaration_is_refused(declared: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        render({"a": (declared, {"f": ""})})


def test_the_place_of_the_manifest_is_nobody_elses() -> None:
    with pytest.raises(RenderError, match="kept for the product"):
        render({"a": ("{}", {MANIFEST: "remove\tetc"})})


def test_a_link_has_no_capabilities() -> None:
    with pytest.raises(RenderError, match="declares capabilities of the symlink f"):
        render({"a": ("{files: {f: {kind: link, capabilities: cap_chown=ep}}}", {"f.j2": "x"})})


@given(st.lists(st.text("ab *?[]$`'\"\\%;é", min_size=1, max_size=12), min_size=1, unique=True))
def test_every_path_comes_back_from_its_line(names: list[str]) -> None:
    paths = [f"x/{name}" for name in names]
    # YAML reads JSON.
    declared = SourceFile(FileKind.FILE, 0o644, f"remove: {json.dumps(paths)}".encode())
    files = {"overlays/a/overlay.yaml": declared}
    (entry,) = render_tree(WrittenFiles(files), ["a"], {}, Renderer())

    assert [line.split("\t") for line in entry.content.decode().splitlines()] == [
        ["remove", path] for path in sorted(paths)
    ]
