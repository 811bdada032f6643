"""Mistakes in overlays and boot scripts that `prov check` names before any node asks."""

from __future__ import annotations

import pytest

from provisioner.overlay.lint import mistakes
from provisioner.overlay.source import WrittenFiles
from provisioner.registry.collect import FileKind, SourceFile
from provisioner.render.environment import Renderer


def found(path: str, content: bytes) -> list[str]:
    files = WrittenFiles({path: SourceFile(FileKind.FILE, 0o644, content)})
    return [f"{each.file}:{each.line}:{each.column}: {each.message}" for each in mistakes(files, Renderer())]


def test_a_template_with_a_syntax_mistake_is_named_with_its_line() -> None:
    path = "overlays/motd/rootfs/etc/motd.j2"

    assert found(path, b"hello\n{% for x in %}\n") == [
        f"{path}:2:1: Expected an expression, got 'end of statement block'"
    ]


def test_a_boot_script_is_looked_at_too() -> None:
    (mistake,) = found("templates/boot.ipxe.j2", b"#!ipxe\n{{ node.name \n")

    assert mistake.startswith("templates/boot.ipxe.j2:")


def test_a_template_that_is_no_text_is_a_mistake() -> None:
    assert found("overlays/a/rootfs/b.j2", b"\xff") == [
        "overlays/a/rootfs/b.j2:0:0: the template is not UTF-8 text"
    ]


def test_a_bad_declaration_is_named_with_line_and_column() -> None:
    (mistake,) = found("overlays/a/overlay.yaml", b"files:\n  etc/x: {mode: rwx}\n")

    assert mistake.startswith("overlays/a/overlay.yaml:2:")


def test_a_file_beside_rootfs_is_a_mistake_because_no_node_would_get_it() -> None:
    assert found("overlays/w/etc/f", b"") == [
        "overlays/w/etc/f:0:0: the file is outside rootfs/: no node would get it"
    ]


@pytest.mark.parametrize("name", ["README.md", ".overlay.yaml.swp", "rootfs/README.md", "rootfs/.profile"])
def test_notes_and_hidden_files_may_lie_beside_rootfs(name: str) -> None:
    assert found(f"overlays/w/{name}", b"") == []


@pytest.mark.parametrize("path", ["overlays/a/rootfs/etc/plain", "site/nodes.d/x.yaml"])
def test_files_that_are_no_templates_may_hold_braces(path: str) -> None:
    assert found(path, b"{{ {% \n") == []


@pytest.mark.parametrize("declared", [b"uses: [b]\n", b"choose: {b: wicked}\n"])
def test_an_overlay_that_brings_along_what_nobody_has_is_a_mistake(declared: bytes) -> None:
    path = "overlays/a/overlay.yaml"
    files = WrittenFiles({path: SourceFile(FileKind.FILE, 0o644, declared)})

    assert found(path, declared) == [f"{path}:0:0: it brings the overlay b along, which does not exist"]
    assert mistakes(files, Renderer(), others=["b"]) == ()
