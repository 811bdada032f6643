"""Kept revisions that nothing names go; what somebody may still need stays."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import IntegrityError
from provisioner.model.catalogue import Catalogue
from provisioner.operations.check import compile_site
from provisioner.registry import leftovers
from provisioner.registry.leftovers import Leftovers, find, remove
from provisioner.registry.revision import Revision
from tests.support.site import SITE, write_site

DAY = 86400.0


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setattr(leftovers, "NEWEST", 1)
    return write_site(tmp_path, {"provisioner.yaml": SITE})


def revision(paths: Paths, text: str, *, days: float = 90) -> str:
    """Keep a revision with a motd of this text, as if that had been so many days ago."""
    overlay = paths.site / "overlays/motd/rootfs/etc/motd"
    overlay.parent.mkdir(parents=True, exist_ok=True)
    overlay.write_text(text)
    name = compile_site(paths, Catalogue()).snapshot.revision
    age(paths, days)
    return name


def age(paths: Paths, days: float) -> None:
    """Let everything that was kept until now be older by so many days."""
    for place in (*paths.objects.rglob("*"), *(paths.state / "revisions").glob("*")):
        moment = place.stat().st_mtime - days * DAY
        os.utime(place, (moment, moment))


def month_ago() -> float:
    return time.time() - 30 * DAY


def texts(paths: Paths) -> set[str]:
    return {place.read_text(errors="replace") for place in paths.objects.glob("??/*")}


def test_an_old_revision_that_nothing_names_goes_with_what_only_it_held(paths: Paths) -> None:
    old, current = revision(paths, "old"), revision(paths, "new")

    found = find(paths, (), month_ago())
    remove(paths, found)

    assert found.revisions == (old,)
    assert len(found.contents) == 1
    assert found.size > len("old")
    assert "old" not in texts(paths)
    kept = Revision.open(paths, current)
    assert {kept.read(key) for key in kept.files} >= {b"new", SITE.encode()}


def test_what_is_used_served_new_or_changed_lately_stays(paths: Paths) -> None:
    used, served = revision(paths, "used"), revision(paths, "served")

    assert find(paths, {used}, month_ago()).revisions == ()
    assert find(paths, (), time.time() - 300 * DAY).revisions == ()
    assert served not in find(paths, (), time.time()).revisions


def test_contents_are_deleted_by_a_later_sweep_and_only_after_an_hour(paths: Paths) -> None:
    revision(paths, "old")
    revision(paths, "new")
    remove(paths, find(paths, (), month_ago()))
    aside = list((paths.objects / "aside").glob("*"))
    assert [place.read_text() for place in aside] == ["old"]

    nothing = Leftovers((), (), 0)
    remove(paths, nothing)
    assert aside[0].exists()
    age(paths, 1)
    remove(paths, nothing)
    assert not aside[0].exists()


def test_what_somebody_began_to_name_meanwhile_comes_back(paths: Paths) -> None:
    old, _ = revision(paths, "old"), revision(paths, "new")
    manifest = paths.state / "revisions" / f"{old}.json"
    content = manifest.read_bytes()
    remove(paths, find(paths, (), month_ago()))
    # The other one had seen that its contents are there, and names them only now.
    manifest.write_bytes(content)
    age(paths, 1)

    remove(paths, Leftovers((), (), 0))

    kept = Revision.open(paths, old)
    assert b"old" in {kept.read(key) for key in kept.files}


def test_a_damaged_revision_stops_the_sweep_before_it_takes_anything(paths: Paths) -> None:
    revision(paths, "old")
    current = revision(paths, "new")
    (paths.state / "revisions" / f"{current}.json").write_text("{")
    before = texts(paths)

    with pytest.raises(IntegrityError, match="is damaged"):
        find(paths, (), month_ago())

    assert texts(paths) == before


def test_a_site_that_never_kept_anything_has_no_leftovers(tmp_path: Path) -> None:
    assert find(Paths.below(tmp_path), (), 0.0) == Leftovers((), (), 0)
