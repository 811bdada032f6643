"""Overlays that the image of a node decides about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from provisioner.overlay.context import Identity, Surroundings
from provisioner.overlay.imagefacts import ImageFacts
from provisioner.overlay.library import Library
from provisioner.overlay.memo import RenderMemo
from provisioner.overlay.source import WrittenFiles
from provisioner.registry.collect import FileKind, SourceFile
from provisioner.render.environment import Renderer, RenderError
from provisioner.trust.sitekey import SiteKey
from tests.support import overlays, resolved
from tests.support.golden import Golden
from tests.support.imagefacts import bare, image, includes

IDENTITY = Identity(SiteKey(b"k" * 32))
FILES = {
    "pick/overlay.yaml": "choose: {one: sshd, two: NetworkManager, three: wicked}\nuses: [base]\n",
    "outer/overlay.yaml": "uses: [pick]\n",
    "base/rootfs/base": "base",
    "one/rootfs/which": "one",
    "two/rootfs/which": "two",
    "three/rootfs/which": "three",
    "three/rootfs/base": "three",
}
NO_SSHD: dict[str, Any] = {"services": ()}


def files_of(texts: Mapping[str, str]) -> WrittenFiles:
    return WrittenFiles(
        {f"overlays/{path}": SourceFile(FileKind.FILE, 0o644, text.encode()) for path, text in texts.items()}
    )


def paths_of(found: ImageFacts | None, library: Library | None = None, name: str = "pick") -> dict[str, bytes]:
    library = library or Library(files_of(FILES), RenderMemo(Renderer()))
    around = Surroundings(resolved.snapshot(), IDENTITY, includes=includes(found))
    return {each.path: each.content for each in library.tree([name], around.context(resolved.node()))}


@pytest.mark.parametrize(
    ("found", "which"),
    [
        (image({"NetworkManager": True}), b"one"),
        (image({"NetworkManager": True}, **NO_SSHD), b"two"),
        (image({"NetworkManager": False, "wicked": True}, **NO_SSHD), b"three"),
        (image({"NetworkManager": False, "wicked": False}, **NO_SSHD), b"two"),
        (bare(), b"one"),
        (ImageFacts.unknown("no image"), b"one"),
        (None, b"one"),
    ],
)
def test_what_boot_starts_comes_first_then_what_is_there_then_the_first_of_all(
    found: ImageFacts | None, which: bytes
) -> None:
    assert paths_of(found)["which"] == which


def test_what_is_used_anyway_lies_over_what_is_chosen() -> None:
    assert paths_of(image({"wicked": True}, **NO_SSHD))["base"] == b"base"


def test_an_overlay_that_uses_one_that_chooses_chooses_too() -> None:
    assert paths_of(image({"wicked": True}, **NO_SSHD), name="outer")["which"] == b"three"


def test_one_library_serves_nodes_with_different_images() -> None:
    library = Library(files_of(FILES), RenderMemo(Renderer()))
    images = [
        image({"NetworkManager": True}, number=1, **NO_SSHD),
        image({"wicked": True}, number=2, **NO_SSHD),
        bare(),
        None,
    ]

    for name in ("pick", "outer"):
        found = [paths_of(each, library, name)["which"] for each in (*images, *images)]
        assert found == [b"two", b"three", b"one", b"one"] * 2


def test_an_image_with_none_of_them_is_told_what_it_lacks() -> None:
    with pytest.raises(RenderError) as caught:
        paths_of(image({}, **NO_SSHD))

    expected = "overlays/pick/overlay.yaml: the image debian-12@1 has none of sshd, NetworkManager, wicked"
    assert caught.value.message == expected
    assert caught.value.hint == "install one of them in the image, or take the overlay out: ~pick"


def test_without_a_node_all_that_may_come_along_is_there() -> None:
    library = Library(files_of(FILES), RenderMemo(Renderer()))

    names = [overlay.name for overlay in library.layer("outer").overlays]

    assert names == ["one", "two", "three", "base", "pick", "outer"]


def test_a_circle_by_way_of_a_choice_is_refused_and_the_others_can_still_be_read() -> None:
    files = {**FILES, "two/overlay.yaml": "uses: [outer]\n"}
    library = Library(files_of(files), RenderMemo(Renderer()))

    with pytest.raises(RenderError, match="uses itself"):
        paths_of(image({"NetworkManager": True}, **NO_SSHD), library)
    assert paths_of(image({"wicked": True}, **NO_SSHD), library)["which"] == b"three"


# What the installations of distributions come with, and the overlay that suits each.
SHAPES = {
    "el9": ({"NetworkManager": True}, "networkmanager"),
    "el7": ({"NetworkManager": False, "network-scripts": True}, "ifcfg"),
    "leap": ({"wicked": True, "systemd-networkd": False}, "wicked"),
    "debian": ({"systemd-networkd": False, "ifupdown": True}, "ifupdown"),
    "debian-minimal": ({"systemd-networkd": False}, "networkd"),
    "ubuntu": ({"systemd-networkd": False, "netplan": True}, "netplan"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_network_of_a_node_is_set_up_by_what_its_image_has(shape: str, tmp_path: Path, golden: Golden) -> None:
    programs, overlay = SHAPES[shape]
    around = Surroundings(overlays.snapshot(), IDENTITY, includes=includes(image(programs)))
    context = around.context(overlays.snapshot().nodes["n001"])
    library = Library(overlays.shipped(tmp_path), RenderMemo(Renderer()))

    made = library.tree(["network"], context)

    assert made == library.tree([overlay, "resolv"], context)
    golden(f"overlays/chosen/{shape}.txt", "".join(f"{entry.path}\n" for entry in made))
