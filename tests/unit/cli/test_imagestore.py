"""`prov image`: the store by command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from provisioner.cli.main import prov
from provisioner.config.paths import Paths
from provisioner.errors import ConflictError, ProvisionerError
from provisioner.image import store
from tests.support.bootable import bootable
from tests.support.imagestore import OLD, booted, generation, let_age


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = bootable(tmp_path)
    generation(paths, "demo", b"second", tree=True)
    return paths


def image(paths: Paths, *words: str) -> Result:
    return CliRunner().invoke(prov, ["--root", str(paths.site), "image", *words])


def lines(paths: Paths, *words: str) -> list[str]:
    done = image(paths, *words)
    assert done.exit_code == 0, done
    return done.stdout.splitlines()


def data(paths: Paths, *words: str) -> object:
    return json.loads("\n".join(lines(paths, *words, "--format", "json")))


def means(paths: Paths) -> str:
    return store.find(paths, "demo").name


def test_the_list_shows_what_is_current_tagged_pinned_and_in_use(paths: Paths) -> None:
    lines(paths, "tag", "demo@1", "old")
    lines(paths, "pin", "demo@1")

    head, first, second = lines(paths, "list")

    assert head.split() == ["GENERATION", "CURRENT", "SYSTEM", "KERNEL", "ROOT", "NODES", "TAGS", "MADE"]
    assert "old (pinned)" in first
    assert second.split()[:2] == ["demo@2", "yes"]
    assert " 3 " in second


def test_kernels_are_listed(paths: Paths) -> None:
    _, first, second = lines(paths, "list", "--kernels")

    assert first.split() == ["demo@1", "6.1.0-1-cloud-amd64", "yes", "0"]
    assert second.split() == ["demo@2", "6.1.0-1-cloud-amd64", "yes", "3"]


def test_show_says_who_uses_a_generation(paths: Paths) -> None:
    told = data(paths, "show", "demo@2")

    assert isinstance(told, dict)
    assert (told["current"], told["assigned"], told["tags"], told["has_tree"]) == (True, "n[1-3]", [], True)


def test_a_rollback_shows_first_who_boots_differently_and_asks(paths: Paths) -> None:
    plan = image(paths, "rollback", "demo", "--plan")
    assert plan.exit_code == 2
    assert plan.stdout.splitlines() == [
        "demo means demo@1 instead of demo@2:",
        "  n[1-3] (3 nodes): demo@2 -> demo@1",
    ]

    refused = image(paths, "rollback", "demo")
    assert isinstance(refused.exception, ProvisionerError)
    assert means(paths) == "demo@2"

    assert lines(paths, "rollback", "demo", "--yes")[-1] == "done"
    assert means(paths) == "demo@1"
    assert data(paths, "rollback", "demo", "--to", "2", "--yes") == {
        "name": "demo@2",
        "made": True,
        "nodes": [{"nodes": "n[1-3]", "count": 3, "before": "demo@1", "after": "demo@2", "trouble": ""}],
    }


def test_a_rollback_that_no_node_notices_is_not_asked_about(paths: Paths) -> None:
    generation(paths, "toy")
    generation(paths, "toy")

    assert lines(paths, "rollback", "toy") == ["toy means toy@1 instead of toy@2: no boot changes", "done"]
    assert image(paths, "rollback", "toy", "--to", "2", "--plan").exit_code == 0


def test_tags_come_and_go(paths: Paths) -> None:
    assert lines(paths, "tag", "demo@1", "old") == ["demo@old means demo@1: no boot changes", "done"]
    assert data(paths, "untag", "demo@old") == {"name": "demo@1", "tag": "demo@old"}


def test_the_history_tells_changes_and_deeds(paths: Paths) -> None:
    lines(paths, "rollback", "demo", "--yes")
    lines(paths, "tag", "demo@2", "next")

    told = "\n".join(lines(paths, "history", "demo"))

    assert "demo@1 (current): made" in told
    assert "demo@2 (next): made" in told
    assert "current demo@1 instead of demo@2" in told
    assert "tagged demo@2 next" in told
    assert isinstance(data(paths, "history", "demo"), dict)


def test_copies_renames_and_deletions_say_what_they_did(paths: Paths) -> None:
    assert lines(paths, "copy", "demo@1", "new") == ["new@1 is a copy of demo@1"]
    assert lines(paths, "rename", "new", "newer") == ["new is newer now"]
    assert lines(paths, "delete", "newer", "--yes") == ["newer@1 is gone; prov image gc frees its room"]
    assert isinstance(image(paths, "delete", "demo", "--yes").exception, ConflictError)


def test_garbage_is_shown_asked_about_and_taken(paths: Paths) -> None:
    generation(paths, "toy", b"1", age=OLD)
    generation(paths, "toy", b"2", age=OLD)
    booted(paths, {"n1": "demo@2"})
    let_age(paths)

    plan = image(paths, "gc", "--keep", "1", "--plan")
    assert plan.exit_code == 2
    assert "  goes  toy@1: nothing needs it" in plan.stdout
    assert "  stays demo@1: new" in plan.stdout
    assert image(paths, "gc", "--keep", "1").exit_code == 1

    assert lines(paths, "gc", "--keep", "1", "--yes")[-1].startswith("1 generations and 0.0 MiB are gone")
    assert lines(paths, "gc", "--keep", "1")[-1] == "nothing to remove"
    told = data(paths, "gc", "--keep", "1")
    assert isinstance(told, dict)
    assert told["gone"] == []


def test_a_whole_store_is_said_to_be_whole_and_damage_ends_with_1(paths: Paths) -> None:
    assert lines(paths, "verify", "--deep") == ["2 generations: everything is whole"]
    store.artifact_path(paths, store.find(paths, "demo").boot_set.root.digest).write_bytes(b"SECOND")

    done = image(paths, "verify")
    assert done.exit_code == 1
    assert "demo@2: " in done.stdout
    assert "hint: prov image build debian-12 --name demo" in done.stdout
    told = json.loads(image(paths, "verify", "demo@2", "--format", "json").stdout)
    assert told["damage"][0]["generations"] == ["demo@2"]


def test_the_help_has_one_word_for_export(paths: Paths) -> None:
    told = image(paths, "--help").stdout

    assert "export" in told
    assert "save" not in told
    assert image(paths, "save", "--help").exit_code == 0
