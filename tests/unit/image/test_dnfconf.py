from __future__ import annotations

import configparser
from pathlib import Path
from typing import Any

import pytest

from provisioner.errors import NotFoundError
from provisioner.image import dnfconf
from provisioner.image.dnfconf import Setup
from provisioner.image.recipe import DnfRecipe

SEEN = "/run/provisioner-build"


def recipe(**fields: Any) -> DnfRecipe:
    address = {"baseurl": "$mirror/$releasever/os/", "gpgkey": "$mirror/KEY"}
    given = {"kind": "dnf", "release": "9", "mirror": "https://mirror.example/rocky/", **fields}
    return DnfRecipe.model_validate({"repositories": {"baseos": address}, **given})


def parsed(file: Path) -> configparser.ConfigParser:
    found = configparser.ConfigParser(interpolation=None)
    found.read(file)
    return found


def test_the_mirror_of_the_recipe_is_put_into_addresses_and_keys(tmp_path: Path) -> None:
    dnfconf.write(recipe(), Setup(tmp_path, str(tmp_path)), logs="/tmp/logs")

    section = parsed(tmp_path / "repos/baseos.repo")["baseos"]
    assert section["baseurl"] == "https://mirror.example/rocky/$releasever/os/"
    assert section["gpgkey"] == "https://mirror.example/rocky/KEY"
    assert section["gpgcheck"] == "1"


def test_every_path_that_dnf_reads_or_writes_is_its_own(tmp_path: Path) -> None:
    setup = Setup(tmp_path, str(tmp_path))

    dnfconf.write(recipe(), setup, logs="/tmp/logs")

    main = parsed(tmp_path / "dnf.conf")["main"]
    assert {main[key] for key in ("reposdir", "varsdir", "pluginpath", "pluginconfpath", "logdir")} == {
        *(f"{tmp_path}/{name}" for name in ("repos", "vars", "plugins")),
        "/tmp/logs",
    }
    given = dict(word.removeprefix("--setopt=").split("=") for word in setup.words[1:])
    assert {*given} == {"cachedir", "persistdir", "modulesdir"}
    assert all(path.startswith(f"{tmp_path}/") for path in given.values())


def test_options_of_the_recipe_win_over_the_defaults_but_not_over_paths(tmp_path: Path) -> None:
    options = {"install_weak_deps": "1", "reposdir": "/etc/yum.repos.d", "module_platform_id": "platform:el9"}

    dnfconf.write(recipe(options=options), Setup(tmp_path, str(tmp_path)), logs="/tmp/logs")

    main = parsed(tmp_path / "dnf.conf")["main"]
    assert (main["install_weak_deps"], main["module_platform_id"]) == ("1", "platform:el9")
    assert main["reposdir"] == f"{tmp_path}/repos"


def test_rpm_of_this_machine_is_told_where_the_database_is_and_that_of_the_image_is_not(tmp_path: Path) -> None:
    moved = recipe(rpmdb={"path": "/usr/lib/sysimage/rpm"})

    dnfconf.write(moved, Setup(tmp_path / "a", str(tmp_path / "a")), logs="/tmp/logs")
    dnfconf.write(moved, Setup(tmp_path / "b", SEEN), logs="/tmp/logs")

    assert "%_dbpath /usr/lib/sysimage/rpm\n" in (tmp_path / "a/home/.rpmmacros").read_text()
    assert "_dbpath" not in (tmp_path / "b/home/.rpmmacros").read_text()


def test_a_local_repository_and_its_key_are_seen_inside(tmp_path: Path) -> None:
    (tmp_path / "packages/9/os").mkdir(parents=True)
    (tmp_path / "key").write_text("the key")
    address = {"baseurl": f"file://{tmp_path}/packages/$releasever/os", "gpgkey": f"file://{tmp_path}/key"}
    work = tmp_path / "work"

    binds = dnfconf.write(recipe(repositories={"os": address}), Setup(work, SEEN), logs="/tmp/logs")

    assert binds == (f"{tmp_path}/packages/9/os:{SEEN}/local/os:ro",)
    section = parsed(work / "repos/os.repo")["os"]
    assert (section["baseurl"], section["gpgkey"]) == (f"file://{SEEN}/local/os", f"file://{SEEN}/keys/os")
    assert (work / "keys/os").read_text() == "the key"


def test_repositories_of_the_image_leave_those_of_the_recipe_out(tmp_path: Path) -> None:
    binds = dnfconf.write(recipe(), Setup(tmp_path, SEEN, own_repositories=True), logs="/tmp/logs")

    assert binds == ()
    assert list((tmp_path / "repos").iterdir()) == []
    assert "reposdir" not in parsed(tmp_path / "dnf.conf")["main"]


@pytest.mark.parametrize("missing", ["baseurl", "gpgkey"])
def test_a_local_repository_or_key_that_is_not_there_is_named(tmp_path: Path, missing: str) -> None:
    (tmp_path / "key").write_text("")
    address = {"baseurl": f"file://{tmp_path}", "gpgkey": f"file://{tmp_path}/key", missing: "file:///nowhere"}

    with pytest.raises(NotFoundError, match="/nowhere"):
        dnfconf.write(recipe(repositories={"os": address}), Setup(tmp_path, str(tmp_path)), logs="/tmp/logs")
