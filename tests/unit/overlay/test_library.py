"""The overlays of a revision, read once."""

from __future__ import annotations

import pytest

from provisioner.overlay.library import Library
from provisioner.overlay.memo import RenderMemo
from provisioner.overlay.source import WrittenFiles
from provisioner.registry.collect import FileKind, SourceFile
from provisioner.render.environment import Renderer


def library(**files: str) -> Library:
    named = {f"overlays/a/{path.replace('__', '/')}": text for path, text in files.items()}
    kept = {path: SourceFile(FileKind.FILE, 0o644, text.encode()) for path, text in named.items()}
    return Library(WrittenFiles(kept), RenderMemo(Renderer()))


@pytest.mark.parametrize(
    ("source", "path", "may"),
    [
        ("text", "etc/x", True),
        ("text", "etc/y", False),
        ("{{ file('etc/net/' ~ cluster) }}", "etc/net/10-eth0", True),
        ("{{ file('etc/net/' ~ cluster) }}", "etc/x", False),
        ("{{ file(cluster) }}", "anything", True),
    ],
)
def test_which_files_a_template_may_make_is_known_before_it_is_rendered(source: str, path: str, may: bool) -> None:
    (piece,) = (
        Library(
            WrittenFiles({"overlays/a/rootfs/etc/x.j2": SourceFile(FileKind.FILE, 0o644, source.encode())}),
            RenderMemo(Renderer()),
        )
        .layer("a")
        .pieces
    )

    assert piece.may_make(path) is may


def test_pieces_stand_in_the_order_in_which_they_are_laid_down() -> None:
    declared = "files: {srv: {kind: directory}}\nlinks: {etc/l: x}\n"

    layer = library(rootfs__b="2", rootfs__a="1", **{"overlay.yaml": declared}).layer("a")

    assert [piece.path for piece in layer.pieces] == ["srv", "a", "b", "etc/l"]


def test_a_change_of_declared_modes_makes_another_template() -> None:
    first, second = (
        library(**{"rootfs__x.j2": "t", "overlay.yaml": f"files: {{x: {{mode: '{mode}'}}}}"}).layer("a").pieces[0]
        for mode in ("0600", "0644")
    )

    assert first.template
    assert second.template
    assert first.template.digest != second.template.digest
