"""What overlay.yaml declares of files that a template makes for some nodes only, and of links."""

from __future__ import annotations

import pytest

from provisioner.archive.tree import Entry, Kind
from provisioner.overlay.rendered import render_tree
from provisioner.overlay.source import Overlay, WrittenFiles
from provisioner.registry.collect import FileKind, SourceFile
from provisioner.render.environment import Renderer, RenderError

SOMETIMES = b"{% if who == 'you' %}\n{{ file('etc/key') }}\nsecret\n{% endif %}\n"


def files(**contents: bytes) -> WrittenFiles:
    """The overlay `a`; `yaml` is its overlay.yaml, and the rest its files, `__` for a slash."""
    yaml = contents.pop("yaml")
    named = {f"rootfs/{name.replace('__', '/')}.j2": content for name, content in contents.items()}
    all_files = {"overlay.yaml": yaml, **named}
    return WrittenFiles(
        {f"overlays/a/{name}": SourceFile(FileKind.FILE, 0o644, content) for name, content in all_files.items()}
    )


def render(written: WrittenFiles, *, who: str = "you") -> list[Entry]:
    return render_tree(written, ["a"], {"who": who}, Renderer())


def test_a_template_makes_the_target_of_a_declared_link() -> None:
    written = files(yaml=b"files: {etc/localtime: {kind: link}}", etc__localtime=b"../zones/{{ who }}\n")

    assert render(written) == [Entry("etc/localtime", Kind.SYMLINK, b"../zones/you", mode=0o777)]


def test_a_declared_file_that_a_template_makes_for_some_nodes_needs_not_be_there() -> None:
    written = files(yaml=b"files: {etc/key: {mode: '0600'}}", etc__all=SOMETIMES)

    assert [(entry.path, entry.mode) for entry in render(written)] == [("etc/key", 0o600)]
    assert render(written, who="me") == []


def test_a_declared_file_that_no_template_could_make_is_a_mistake() -> None:
    written = files(yaml=b"files: {etc/keys: {mode: '0600'}}", etc__all=SOMETIMES.replace(b"etc/key", b"etc/kex"))

    with pytest.raises(RenderError, match="declares the file etc/keys, but the overlay makes nothing there"):
        render(written)


def test_variables_are_documented_in_overlay_yaml() -> None:
    written = files(yaml=b"variables: {tags.timezone: 'text: a zone'}")

    assert Overlay(written, "a").declared.variables == {"tags.timezone": "text: a zone"}
