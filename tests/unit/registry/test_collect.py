"""Reading everything that people wrote, once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provisioner.errors import ConfigError
from provisioner.registry.collect import (
    FileKind,
    collect,
    overlay_names,
    own_overlays,
    script_names,
    site_files,
)
from tests.support.site import OVERLAYS, SITE, write_site

FILES = {"provisioner.yaml": SITE, "groups.d/g.yaml": "groups:\n", "nodes.d/n.yml": "nodes:\n"}


def test_site_files_overlays_and_scripts_are_found(tmp_path: Path) -> None:
    files = collect(write_site(tmp_path, {**FILES, "overlays/motd/rootfs/etc/motd": "hi"}))

    assert list(site_files(files)) == ["groups.d/g.yaml", "nodes.d/n.yml", "provisioner.yaml"]
    assert overlay_names(files) == OVERLAYS | {"motd"}
    assert script_names(files) == {"boot"}
    assert files["overlays/motd/rootfs/etc/motd"].content == b"hi"


def test_overlays_of_the_site_are_told_from_shipped_ones(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {**FILES, "overlays/motd/rootfs/etc/motd": "hi", "overlays/.git/x": ""})

    assert own_overlays(paths) == {"motd"}
    assert own_overlays(write_site(tmp_path / "none", FILES)) == frozenset()


@pytest.mark.parametrize(
    "name", ["nodes.d/.n.yaml.swp", "nodes.d/.n.yaml", "nodes.d/n.yaml~", "nodes.d/notes.txt", "x.yaml"]
)
def test_what_an_editor_leaves_behind_is_not_read(tmp_path: Path, name: str) -> None:
    assert list(site_files(collect(write_site(tmp_path, {**FILES, name: "?"})))) == list(
        site_files(collect(write_site(tmp_path / "clean", FILES)))
    )


def test_a_file_of_the_site_shadows_the_shipped_one_alone(tmp_path: Path) -> None:
    paths = write_site(
        tmp_path,
        {**FILES, "data/overlays/ssh/overlay.yaml": "shipped", "overlays/ssh/rootfs/etc/ssh": "mine"},
    )

    files = collect(paths)

    assert files["overlays/ssh/rootfs/etc/ssh"].content == b"mine"
    assert files["overlays/ssh/overlay.yaml"].content == b"shipped"


def test_symlinks_in_overlays_stay_symlinks(tmp_path: Path) -> None:
    paths = write_site(tmp_path, FILES)
    folder = tmp_path / "overlays/links/rootfs"
    folder.mkdir(parents=True)
    (folder / "up").symlink_to("../../../etc/passwd")
    (folder / "folder").symlink_to("/etc")

    files = collect(paths)

    assert files["overlays/links/rootfs/up"].kind is FileKind.SYMLINK
    assert files["overlays/links/rootfs/up"].content == b"../../../etc/passwd"
    assert files["overlays/links/rootfs/folder"].content == b"/etc"


def test_a_link_inside_the_site_is_followed(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {**FILES, "shared/n.yaml": "nodes: {n1: }\n"})
    (paths.node_files / "linked.yaml").symlink_to("../shared/n.yaml")

    assert collect(paths)["site/nodes.d/linked.yaml"].content == b"nodes: {n1: }\n"


def test_what_leads_out_of_the_site_or_is_no_file_is_a_problem(tmp_path: Path) -> None:
    paths = write_site(tmp_path / "site", FILES)
    (tmp_path / "secret").write_text("x")
    (paths.node_files / "a.yaml").symlink_to("../../secret")
    os.mkfifo(paths.node_files / "b.yaml")
    (paths.node_files / "c.yaml").mkdir()

    with pytest.raises(ConfigError) as caught:
        collect(paths)

    assert [(each.file, each.message.split(",")[0]) for each in caught.value.problems] == [
        ("nodes.d/a.yaml", "a symlink that leads out of the site"),
        ("nodes.d/b.yaml", "not a regular file"),
        ("nodes.d/c.yaml", "not a regular file"),
    ]


def test_a_dangling_link_is_a_problem_and_not_a_vanished_file(tmp_path: Path) -> None:
    paths = write_site(tmp_path, FILES)
    (paths.node_files / "a.yaml").symlink_to("gone.yaml")

    with pytest.raises(ConfigError, match="leads nowhere"):
        collect(paths)


def test_the_umask_of_a_checkout_does_not_matter(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {**FILES, "overlays/x/rootfs/run": "#!/bin/sh\n"})
    path = tmp_path / "overlays/x/rootfs/run"

    path.chmod(0o775)
    loose = collect(paths)
    path.chmod(0o755)

    assert collect(paths) == loose
    assert loose["overlays/x/rootfs/run"].mode == 0o755


@pytest.mark.parametrize("folder", ["overlays/odd/rootfs", "nodes.d", "templates"])
def test_a_name_that_is_not_utf8_is_a_problem_that_can_be_printed(tmp_path: Path, folder: str) -> None:
    paths = write_site(tmp_path, FILES)
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    suffix = {"nodes.d": ".yaml", "templates": ".ipxe.j2"}.get(folder, "")
    (tmp_path / folder / f"f\udcff{suffix}").write_text("x")

    with pytest.raises(ConfigError) as caught:
        collect(paths)

    (problem,) = caught.value.problems
    assert (problem.file, problem.message) == (f"{folder}/f\\xff{suffix}", "the name of the file is not UTF-8")
    assert str(problem).encode()


def test_a_link_to_a_name_that_is_not_utf8_can_be_printed_too(tmp_path: Path) -> None:
    paths = write_site(tmp_path / "site", FILES)
    (tmp_path / "f\udcff").write_text("x")
    (paths.node_files / "a.yaml").symlink_to("../../f\udcff")

    with pytest.raises(ConfigError, match="leads out of the site") as caught:
        collect(paths)

    assert str(caught.value).encode()


def test_a_node_can_ask_for_ipxe_scripts_alone_and_not_for_the_answers_to_others(tmp_path: Path) -> None:
    names = ("own.v2.ipxe.j2", "grub.cfg.j2", "boot.j2", "unknown.ipxe.j2", "refused.ipxe.j2")
    paths = write_site(tmp_path, {**FILES, **{f"templates/{name}": "#!ipxe\n" for name in names}})

    assert script_names(collect(paths)) == {"boot", "own.v2"}


@pytest.mark.parametrize("folder", ["nodes.d", "groups.d", "overlays", "templates"])
def test_a_file_where_a_folder_belongs_is_a_mistake(tmp_path: Path, folder: str) -> None:
    paths = write_site(tmp_path, {"provisioner.yaml": SITE, folder: "x"})

    with pytest.raises(ConfigError, match=f"{folder}:0:0: there is a file where a folder belongs"):
        collect(paths)


def test_a_link_to_no_folder_is_a_mistake_too(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {"provisioner.yaml": SITE})
    paths.node_files.symlink_to("nowhere")

    with pytest.raises(ConfigError, match="leads to no folder"):
        collect(paths)


def test_what_templates_may_include_is_part_of_it(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {**FILES, "files/motd": "hi", "files/keys/a.pub": "ssh-ed25519"})
    (paths.site / "files/link").symlink_to("/etc/passwd")

    found = {key: each for key, each in collect(paths).items() if key.startswith("files/")}

    assert {key: each.content for key, each in found.items()} == {
        "files/keys/a.pub": b"ssh-ed25519",
        "files/link": b"/etc/passwd",
        "files/motd": b"hi",
    }
    assert found["files/link"].kind is FileKind.SYMLINK


def test_includes_lie_in_the_site_and_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    paths = write_site(tmp_path / "site", FILES)
    (paths.site / "files").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ConfigError, match="files:0:0: a symlink that leads out of the site"):
        collect(paths)
