"""What a node gets: listed, one file, whole trees, and how two nodes differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConflictError, NotFoundError
from provisioner.operations.overlaydiff import diff_nodes, diff_since
from provisioner.operations.overlayrender import list_rendered, render_file
from provisioner.registry.collect import collect
from provisioner.registry.compiler import obtain
from provisioner.registry.revision import keep
from provisioner.trust.hostkey import host_key
from provisioner.trust.importedkeys import ImportedKeys
from provisioner.trust.sitekey import KEY_BYTES, SiteKey
from tests.support.site import SITE, write_site

NODES = """\
nodes:
  n[001-002]: {overlays: {system: [motd], runtime: [late]}}
  n002: {tags: {colour: red}}
"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    files = {
        "provisioner.yaml": SITE,
        "nodes.d/n.yaml": NODES,
        "overlays/motd/rootfs/etc/motd.j2": "{{ node.name }}\n",
        "overlays/motd/rootfs/etc/same": "the same\n",
        "overlays/motd/rootfs/etc/key.j2": "secret of {{ node.name }}\n",
        "overlays/motd/overlay.yaml": "files: {etc/key: {mode: '0600'}}\nlinks: {etc/link: motd}\n",
        "overlays/late/rootfs/etc/colour.j2": "{{ node.tags.colour | default('none') }}\n",
    }
    found = write_site(tmp_path / "site", files)
    (found.data / "overlays/motd/rootfs/etc/motd").unlink()
    return found


def test_every_file_is_listed_with_the_overlay_that_makes_it(paths: Paths) -> None:
    found = [(each.entry.path, each.overlay) for each in list_rendered(paths, "n001")]

    assert [each for each in found if each[1] in {"motd", "late"}] == [
        ("etc/colour", "late"),
        ("etc/key", "motd"),
        ("etc/link", "motd"),
        ("etc/motd", "motd"),
        ("etc/same", "motd"),
    ]


def test_one_file_is_found_by_its_path(paths: Paths) -> None:
    assert render_file(paths, "n002", "/etc/motd") == b"n002\n"
    assert render_file(paths, "n002", "etc/link") == b"motd"


def test_a_private_file_is_shown_only_to_who_says_so(paths: Paths) -> None:
    with pytest.raises(ConflictError, match="for its owner alone"):
        render_file(paths, "n001", "etc/key")

    assert render_file(paths, "n001", "etc/key", private=True) == b"secret of n001\n"


def test_what_is_not_there_is_named(paths: Paths) -> None:
    with pytest.raises(NotFoundError, match="no overlay of n001 makes etc/nothing"):
        render_file(paths, "n001", "etc/nothing")
    with pytest.raises(NotFoundError, match="there is no node n009"):
        list_rendered(paths, "n009")
    with pytest.raises(ConflictError, match="more than one node"):
        list_rendered(paths, "n[001-002]")


def test_nodes_differ_in_files_and_lines_and_secrets_are_not_shown(paths: Paths) -> None:
    found = {each.path: each.lines for each in diff_nodes(paths, "n001", "n002")}

    assert list(found) == ["etc/colour", "etc/key", "etc/motd"]
    assert found["etc/colour"] == ("-none", "+red")
    assert found["etc/motd"] == ("-n001", "+n002")
    assert found["etc/key"][0].startswith("secret, changed")


def test_a_node_does_not_differ_from_itself(paths: Paths) -> None:
    assert diff_nodes(paths, "n001", "n001") == []


def test_a_node_differs_from_what_it_was(paths: Paths) -> None:
    revision = keep(paths, collect(paths)).revision
    obtain(paths, collect(paths))
    (paths.site / "overlays/motd/rootfs/etc/motd.j2").write_text("hello {{ node.name }}\n")
    (paths.site / "nodes.d/z.yaml").write_text("nodes: {n001: {tags: {colour: blue}}}\n")

    found = {each.path: each.lines for each in diff_since(paths, "n001", revision[:12])}

    assert found == {"etc/colour": ("-none", "+blue"), "etc/motd": ("-n001", "+hello n001")}


def test_a_revision_or_node_that_is_not_there_is_named(paths: Paths) -> None:
    with pytest.raises(NotFoundError, match="no revision"):
        diff_since(paths, "n001", "abcdef")
    with pytest.raises(NotFoundError, match="there is no node n009"):
        diff_nodes(paths, "n001", "n009")


def test_host_keys_that_were_taken_over_are_what_a_node_gets(paths: Paths) -> None:
    (paths.site / "overlays/motd/rootfs/etc/host.pub.j2").write_text("{{ ssh.host_public_key }}")
    SiteKey.load_or_create(paths.keys)
    key = host_key(SiteKey(b"o" * KEY_BYTES), "n001")
    ImportedKeys(paths.keys).keep("n001", {"ed25519": key})

    assert render_file(paths, "n001", "etc/host.pub") == key.public.encode()
    assert render_file(paths, "n002", "etc/host.pub") != key.public.encode()
