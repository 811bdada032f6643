"""Committing to a real git checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provisioner.errors import CommandError, ConflictError
from provisioner.host.git import commit_to_git
from provisioner.host.run import run

pytestmark = [pytest.mark.integration, pytest.mark.needs("git")]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # What the person who runs the tests has configured is no part of them.
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    folder = tmp_path / "checkout" / "site"
    folder.mkdir(parents=True)
    git(folder.parent, "init", "--quiet", "--initial-branch=main")
    for name in ("a.yaml", "b.yaml", "c.yaml"):
        (folder / name).write_text("old\n")
    commit_to_git(folder, ["a.yaml", "b.yaml", "c.yaml"], "first", "ada")
    return folder


def git(folder: Path, *arguments: str) -> str:
    return run(["git", "-C", folder, *arguments]).strip()


def changed_in_head(site: Path) -> set[str]:
    return set(git(site, "show", "--name-status", "--format=", "HEAD").splitlines())


def test_new_changed_and_removed_files_are_one_commit_of_who_did_it(site: Path) -> None:
    (site / "a.yaml").write_text("new\n")
    (site / "b.yaml").unlink()
    (site / "new.yaml").write_text("new\n")

    name = commit_to_git(site, ["a.yaml", "b.yaml", "new.yaml", "never-was.yaml"], "prov apply rack.yaml", "grace")

    assert changed_in_head(site) == {"M\tsite/a.yaml", "D\tsite/b.yaml", "A\tsite/new.yaml"}
    assert git(site, "log", "-1", "--format=%an|%s") == "grace|prov apply rack.yaml"
    assert git(site, "rev-parse", "HEAD").startswith(name)
    assert git(site, "status", "--porcelain") == ""


def test_what_others_staged_or_changed_stays_as_it_is(site: Path) -> None:
    (site / "b.yaml").write_text("staged\n")
    git(site, "add", "b.yaml")
    (site / "c.yaml").write_text("not staged\n")
    (site / "a.yaml").write_text("new\n")

    commit_to_git(site, ["a.yaml"], "message", "ada")

    assert changed_in_head(site) == {"M\tsite/a.yaml"}
    assert git(site, "diff", "--cached", "--name-only") == "site/b.yaml"
    assert git(site, "diff", "--name-only") == "site/c.yaml"


def test_files_that_git_has_as_they_are_make_no_commit(site: Path) -> None:
    before = git(site, "rev-parse", "HEAD")

    assert commit_to_git(site, ["a.yaml", "never-was.yaml"], "message", "ada") == ""
    assert git(site, "rev-parse", "HEAD") == before


def test_a_name_that_looks_like_a_pattern_is_a_name(site: Path) -> None:
    for name in (":(glob)x.yaml", "*.yaml", "-x.yaml"):
        (site / name).write_text("new\n")
        commit_to_git(site, [name], "message", "ada")

        assert git(site, "log", "-1", "--format=", "--name-only") == f"site/{name}"


def test_the_committer_that_somebody_configured_stays(site: Path) -> None:
    git(site, "config", "user.name", "Head Node")
    git(site, "config", "user.email", "head@example.org")
    (site / "a.yaml").write_text("new\n")

    commit_to_git(site, ["a.yaml"], "message", "ada")

    assert git(site, "log", "-1", "--format=%an|%cn|%ce") == "ada|Head Node|head@example.org"


def test_a_site_outside_of_git_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("x")

    with pytest.raises(ConflictError, match="in no git checkout") as caught:
        commit_to_git(tmp_path, ["a.yaml"], "message", "ada")

    assert caught.value.hint == f"git -C {tmp_path} init"


def test_what_git_refuses_is_told_and_the_files_stay(site: Path) -> None:
    hook = site.parent / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\necho the image must be named\nexit 1\n")
    hook.chmod(0o755)
    (site / "a.yaml").write_text("new\n")

    with pytest.raises(CommandError, match="the image must be named"):
        commit_to_git(site, ["a.yaml"], "message", "ada")

    assert (site / "a.yaml").read_text() == "new\n"
