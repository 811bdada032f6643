"""Ids moved in a real tree: every file follows its owner, and what ids carry with them stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from provisioner.cli.main import prov
from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError
from provisioner.image import store, syncuser
from provisioner.image.remap import Remap, plan
from provisioner.model.image import Generation
from provisioner.operations.syncuser import Model, model_of_files, model_of_image, plan_sync, sync_users
from tests.support import baseimage, busybox

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("busybox")]

# munge moves to where polkitd is, and its group to where the files of nobody are.
HOST_PASSWD = "root:x:0:0::/root:/bin/sh\nmunge:x:991:4242::/:/bin/false\nalice:x:1000:1000::/home/alice:/bin/sh\n"
HOST_GROUP = "root:x:0:\nmunge:x:4242:\nslurm:x:995:\n"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.below(tmp_path / "site")


@pytest.fixture
def base(paths: Paths) -> Generation:
    return baseimage.make(paths)


@pytest.fixture
def host(tmp_path: Path) -> Model:
    (tmp_path / "passwd").write_text(HOST_PASSWD)
    (tmp_path / "group").write_text(HOST_GROUP)
    return model_of_files(tmp_path / "passwd", tmp_path / "group")


def owner(tree: Path, path: str) -> tuple[int, int]:
    found = (tree / path).lstat()
    return found.st_uid, found.st_gid


def test_the_plan_names_every_move_and_counts_files(paths: Paths, base: Generation, host: Model) -> None:
    before = busybox.everything(store.tree_path(paths, base.tree))

    plan = plan_sync(paths, "tiny", host)

    rows = [(row["kind"], row["name"], row["old"], row["new"], row["files"], row["why"]) for row in plan.rows()]
    assert rows == [
        ("user", "munge", 998, 991, 3, ""),
        ("user", "polkitd", 991, 999, 1, "makes room for munge"),
        ("group", "-", 4242, 1000, 1, "makes room for munge"),
        ("group", "munge", 997, 4242, 3, ""),
    ]
    assert plan.clashes == ()
    assert busybox.everything(store.tree_path(paths, base.tree)) == before


def test_files_and_accounts_follow_at_once(paths: Paths, base: Generation, host: Model) -> None:
    made = sync_users(paths, plan_sync(paths, "tiny", host), note="ids").generation
    tree = store.tree_path(paths, made.tree)

    assert (made.name, made.parent, made.origin.kind, made.note) == ("tiny@2", "tiny@1", "command", "ids")
    assert owner(tree, "etc/munge.key") == owner(tree, "etc/munge.link") == (991, 4242)
    assert (tree / "etc/munge.key").samefile(tree / "etc/munge.hard")
    assert owner(tree, "bin/polkit") == (999, 990)
    assert owner(tree, "var/orphan") == (4242, 1000)
    assert "munge:x:991:4242:" in (tree / "etc/passwd").read_text()
    assert "polkitd:x:999:990:" in (tree / "etc/passwd").read_text()
    assert "munge:x:4242:" in (tree / "etc/group").read_text()
    assert (tree / "etc/shadow").read_text() == "root:*:1::::::\nmunge:!:1::::::\n"
    assert (tree / "etc/subuid").read_text() == "munge:100000:65536\n991:200000:65536\n"


def test_set_id_bits_and_capabilities_stay(paths: Paths, base: Generation, host: Model) -> None:
    made = sync_users(paths, plan_sync(paths, "tiny", host)).generation
    tree = store.tree_path(paths, made.tree)

    assert (tree / "bin/munged").stat().st_mode & 0o7777 == 0o6755
    assert os.getxattr(tree / "bin/polkit", "security.capability") == baseimage.CAPABILITY


def test_access_lists_follow_and_stay_in_order(tmp_path: Path, host: Model) -> None:
    tree = baseimage.fill(tmp_path / "tree")
    baseimage.set_acl(tree / "etc/shadow", users=(993, 998), groups=(500, 997))

    syncuser.apply(tree, plan_of(tree, host))

    assert baseimage.acl(tree / "etc/shadow") == ([991, 993], [500, 4242])


def plan_of(tree: Path, host: Model) -> Remap:
    there, census = syncuser.read(tree), syncuser.count(tree)
    return plan(host.accounts, there, unnamed=census.unnamed(there))


def test_a_second_time_nothing_moves(paths: Paths, base: Generation, host: Model) -> None:
    sync_users(paths, plan_sync(paths, "tiny", host))

    assert not plan_sync(paths, "tiny", host).remap


def test_the_same_plan_makes_the_same_tree(paths: Paths, base: Generation, host: Model) -> None:
    first = sync_users(paths, plan_sync(paths, "tiny@1", host))
    second = sync_users(paths, plan_sync(paths, "tiny@1", host))

    assert first.is_new
    assert not second.is_new
    assert first.generation == second.generation


def test_an_image_can_be_like_another_one(paths: Paths, base: Generation, host: Model) -> None:
    synced = sync_users(paths, plan_sync(paths, "tiny", host)).generation

    back = plan_sync(paths, synced.name, model_of_image(paths, base.name))

    assert {(row["name"], row["new"]) for row in back.rows()} >= {("munge", 998), ("polkitd", 991), ("munge", 997)}


def test_only_some_names_can_be_asked_for(paths: Paths, base: Generation, host: Model) -> None:
    plan = plan_sync(paths, "tiny", host.only(["slurm"]))

    assert plan.rows() == []
    with pytest.raises(NotFoundError, match="no user or group nobody-knows"):
        host.only(["nobody-knows"])


def test_numbers_that_packages_wrote_down_are_pointed_at(tmp_path: Path, host: Model) -> None:
    tree = baseimage.fill(tmp_path / "tree")
    for folder, text in (("tmpfiles.d", "d /run/munge 0755 998 997 -\n"), ("sysusers.d", 'u munge 998 "Munge"\n')):
        (tree / "usr/lib" / folder).mkdir(parents=True)
        (tree / "usr/lib" / folder / "munge.conf").write_text(text)

    warnings = syncuser.apply(tree, plan_of(tree, host))

    assert warnings == (
        "/usr/lib/tmpfiles.d/munge.conf names 997, 998 by number, which moved",
        "/usr/lib/sysusers.d/munge.conf names 998 by number, which moved",
    )


def test_the_command_prints_the_plan_and_carries_it_out(paths: Paths, base: Generation, tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text(HOST_PASSWD)
    (tmp_path / "group").write_text(HOST_GROUP)
    root = [
        "--root",
        str(paths.site),
        "image",
        "syncuser",
        "tiny",
        "--from",
        f"{tmp_path}/passwd,{tmp_path}/group",
    ]

    planned = CliRunner().invoke(prov, [*root, "--plan"])
    carried = CliRunner().invoke(prov, root)
    again = CliRunner().invoke(prov, root)

    assert [result.exit_code for result in (planned, carried, again)] == [0, 0, 0]
    assert "makes room for munge" in planned.output
    assert "tiny@2 is made and current" in carried.output
    assert "nothing moves" in again.output
