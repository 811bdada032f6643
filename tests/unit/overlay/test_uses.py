"""Overlays that use others, and modes of files whose names only a template knows."""

from __future__ import annotations

import pytest

from provisioner.overlay.library import Library
from provisioner.overlay.memo import RenderMemo
from provisioner.overlay.source import WrittenFiles
from provisioner.registry.collect import FileKind, SourceFile
from provisioner.render.environment import Renderer, RenderError


def library(**files: str) -> Library:
    kept = {
        "overlays/" + path.replace("__", "/"): SourceFile(FileKind.FILE, 0o644, text.encode())
        for path, text in files.items()
    }
    return Library(WrittenFiles(kept), RenderMemo(Renderer()))


def test_an_overlay_lays_its_own_files_over_those_of_the_overlays_that_it_uses() -> None:
    overlays = library(
        **{"a__overlay.yaml": "uses: [b, c]\n"},
        a__rootfs__one="a",
        b__rootfs__one="b",
        b__rootfs__two="b",
        c__rootfs__two="c",
    )

    assert {entry.path: entry.content for entry in overlays.tree(["a"], {})} == {"one": b"a", "two": b"c"}


def test_a_used_overlay_keeps_its_own_modes() -> None:
    overlays = library(
        **{"a__overlay.yaml": "uses: [b]\n", "b__overlay.yaml": "files: {x: {mode: '0600'}}\n"}, b__rootfs__x="b"
    )

    assert [entry.mode for entry in overlays.tree(["a"], {})] == [0o600]


def test_overlays_that_use_each_other_are_refused() -> None:
    overlays = library(**{"a__overlay.yaml": "uses: [b]\n", "b__overlay.yaml": "uses: [a]\n"})

    with pytest.raises(RenderError, match="overlay a uses itself, by way of a and b"):
        overlays.tree(["a"], {})


def test_files_of_a_declared_directory_get_the_mode_for_what_is_inside() -> None:
    overlays = library(
        **{"a__overlay.yaml": "files: {d: {kind: directory, inside: '0600'}, d/own: {mode: '0640'}}\n"},
        **{
            "a__rootfs__d__made.j2": "{{ file('d/x') }}\nx",
            "a__rootfs__d__own": "y",
            "a__rootfs__d__e__deep": "z",
        },
    )

    modes = {entry.path: entry.mode for entry in overlays.tree(["a"], {})}
    assert modes == {"d": 0o755, "d/x": 0o600, "d/own": 0o640, "d/e/deep": 0o644}
