"""Passwords of nodes in templates: as closed as secrets, wherever the node comes from."""

from __future__ import annotations

import gc

import pytest

from provisioner.archive.tree import Entry
from provisioner.model.device import BmcDriver
from provisioner.model.resolved import ResolvedBmc
from provisioner.model.secret import Secret
from provisioner.overlay.context import Identity, Surroundings
from provisioner.overlay.library import Library
from provisioner.overlay.memo import RenderMemo
from provisioner.overlay.rendered import OverlayKind
from provisioner.overlay.source import WrittenFiles
from provisioner.registry.collect import FileKind, SourceFile
from provisioner.render.environment import Renderer, RenderError
from provisioner.trust.sitekey import SiteKey
from tests.support import resolved

IDENTITY = Identity(SiteKey(b"k" * 32))
OWN = "user={{ node.bmc.username }}\npass={{ node.bmc.password | shell }}\n"
ALL = "{% for each in nodes %}\n{{ each.name }} {{ each.bmc.password }}\n{% endfor %}\n"


def library(template: str, declared: str = "") -> Library:
    texts = {"overlays/x/rootfs/etc/x.j2": template, "overlays/x/overlay.yaml": declared}
    files = {key: SourceFile(FileKind.FILE, 0o644, text.encode()) for key, text in texts.items() if text}
    return Library(WrittenFiles(files), RenderMemo(Renderer()))


def made(library: Library, password: str, kind: OverlayKind = OverlayKind.SYSTEM) -> Entry:
    node = resolved.node(bmc=ResolvedBmc(driver=BmcDriver.IPMI, username="root", password=Secret(password)))
    context = Surroundings(resolved.snapshot(node), IDENTITY).context(node)
    (entry,) = library.tree(["x"], kind.view(context))
    return entry


@pytest.mark.parametrize("template", [OWN, ALL])
def test_a_file_with_a_password_is_closed_unless_its_overlay_says_otherwise(template: str) -> None:
    assert made(library(template), "hunter2").mode == 0o600
    assert made(library(template, "files: {etc/x: {mode: '0640'}}"), "hunter2").mode == 0o640
    assert made(library("{{ node.bmc.username }}"), "hunter2").mode == 0o644


def test_its_piece_says_so_and_uses_no_secret_of_the_site() -> None:
    (piece,) = library(OWN).pieces(["x"])

    assert (piece.is_private, piece.secrets) == (True, ())


def test_a_list_of_all_passwords_is_not_kept_though_all_nodes_share_it() -> None:
    kept = library(ALL)
    password = "hunter-" + "of-all"

    assert f"n001 {password}\n".encode() == made(kept, password).content
    gc.collect()
    assert not [each for each in gc.get_objects() if isinstance(each, Entry) and password.encode() in each.content]


@pytest.mark.parametrize("template", [OWN, ALL])
def test_a_runtime_overlay_has_none(template: str) -> None:
    with pytest.raises(RenderError, match=r"x\.j2:2: a runtime overlay cannot use secrets"):
        made(library(template), "hunter2", OverlayKind.RUNTIME)


@pytest.mark.parametrize("template", [OWN, ALL])
def test_a_reference_to_a_secret_is_no_password(template: str) -> None:
    with pytest.raises(RenderError, match=r"x\.j2:2: the password names a secret of the site") as caught:
        made(library(template), "secret:bmc")

    assert "secrets.NAME" in (caught.value.hint or "")
