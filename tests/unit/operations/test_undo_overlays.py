"""Changes of overlays taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, ConflictError, NotFoundError
from provisioner.image.store import catalogue
from provisioner.operations import overlayedits as edits
from provisioner.operations.overlaychange import commit, draft
from provisioner.operations.overlayedits import OverlayPlan
from provisioner.operations.undo import is_of_overlays, to_undo, undo, undo_overlays
from provisioner.registry.history import BY_HAND, changes
from provisioner.registry.view import SiteView
from tests.support.site import SITE, write_site

MOTD = "overlays/motd/rootfs/etc/motd"
HOSTS = "overlays/hosts/rootfs/etc/hosts"
LINES = "one\ntwo\nthree\nfour\n"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return write_site(
        tmp_path,
        {
            "provisioner.yaml": SITE,
            "nodes.d/n.yaml": "nodes: {n1: {overlays: {system: [motd], runtime: []}}}\n",
            MOTD: LINES,
        },
    )


def apply(paths: Paths, plan: OverlayPlan, *, undoes: int | None = None) -> None:
    commit(draft(paths, catalogue(paths), plan), command="prov overlay", undoes=undoes)


def edit(paths: Paths, key: str, text: str) -> None:
    _, name, _, path = key.split("/", 3)
    apply(paths, edits.edited(name, path, text.encode()))


def take_back(paths: Paths, number: int | None = None) -> None:
    change = to_undo(paths, number)
    assert is_of_overlays(change)
    apply(paths, undo_overlays(paths, change), undoes=change.id)


def text(paths: Paths, key: str) -> str | None:
    return (paths.site / key).read_text() if (paths.site / key).exists() else None


def test_an_edit_is_taken_back_and_brought_back(paths: Paths) -> None:
    edit(paths, MOTD, "other\n")

    take_back(paths)
    assert text(paths, MOTD) == LINES
    take_back(paths, 2)
    assert text(paths, MOTD) == "other\n"


def test_an_overlay_that_was_made_goes_with_its_folder(paths: Paths) -> None:
    apply(paths, edits.create("banner", "before the login"))

    take_back(paths)

    assert not (paths.site / "overlays/banner").exists()


def test_a_deleted_overlay_comes_back_with_all_files(paths: Paths) -> None:
    apply(paths, edits.create("banner", "x"))
    apply(paths, edits.imported("banner", "etc/issue", b"\xff\x00binary"))
    apply(paths, edits.delete("banner"))

    take_back(paths)

    assert (paths.site / "overlays/banner/rootfs/etc/issue").read_bytes() == b"\xff\x00binary"
    assert text(paths, "overlays/banner/overlay.yaml") == "description: x\n"


def test_after_an_edit_of_a_shipped_file_the_shipped_one_shows_again(paths: Paths) -> None:
    edit(paths, HOSTS, "ours\n")

    take_back(paths)

    assert text(paths, HOSTS) is None
    assert (paths.data / HOSTS).read_text() == "hosts"


def test_a_file_of_the_site_over_a_shipped_one_comes_back(paths: Paths) -> None:
    edit(paths, HOSTS, "ours\n")
    apply(paths, edits.delete("hosts"))

    take_back(paths)

    assert text(paths, HOSTS) == "ours\n"


def test_a_copy_of_what_ships_goes(paths: Paths) -> None:
    apply(paths, edits.copy("hosts", "hosts"))

    take_back(paths)

    assert not (paths.site / "overlays/hosts").exists()


def test_later_changes_of_other_lines_stay(paths: Paths) -> None:
    edit(paths, MOTD, LINES.replace("one", "1"))
    edit(paths, MOTD, LINES.replace("one", "1").replace("four", "4"))

    take_back(paths, 1)

    assert text(paths, MOTD) == LINES.replace("four", "4")


def test_a_file_that_was_changed_since_in_the_same_place_stays_and_the_change_is_named(paths: Paths) -> None:
    edit(paths, MOTD, "other\n")
    edit(paths, MOTD, "yet another\n")

    with pytest.raises(ConflictError, match=f"{MOTD} was changed since in the same place, by change 2") as caught:
        take_back(paths, 1)

    assert caught.value.hint == f"prov undo 2 first, or prov history show 1 and edit {MOTD}"
    assert text(paths, MOTD) == "yet another\n"


def test_an_overlay_that_nodes_use_by_now_does_not_go(paths: Paths) -> None:
    apply(paths, edits.create("banner"))
    (paths.node_files / "n.yaml").write_text("nodes: {n1: {overlays: {system: [motd, banner], runtime: []}}}\n")

    with pytest.raises(ConfigError, match="banner"):
        take_back(paths)

    assert (paths.site / "overlays/banner/overlay.yaml").exists()


def test_what_no_node_could_render_is_not_brought_back(paths: Paths) -> None:
    edit(paths, MOTD, "fine\n")
    template = paths.site / f"{MOTD}.j2"
    template.write_text("{{ nothing }}\n")
    edit(paths, MOTD, "finer\n")
    apply(paths, edits.edited("motd", "etc/motd.j2", b"fine\n"))

    with pytest.raises(ConfigError, match="nothing"):
        take_back(paths)


def test_hand_edits_of_overlays_are_taken_back_too(paths: Paths) -> None:
    edit(paths, MOTD, "first\n")
    (paths.site / MOTD).write_text("by hand\n")
    edit(paths, HOSTS, "ours\n")
    by_hand = next(each for each in changes(paths) if each.who == BY_HAND)

    take_back(paths, by_hand.id)

    assert text(paths, MOTD) == "first\n"


def test_a_text_that_nobody_kept_is_not_made_up(paths: Paths) -> None:
    edit(paths, HOSTS, "ours\n")
    (paths.site / MOTD).write_text("unseen\n")
    edit(paths, HOSTS, "ours again\n")
    by_hand = next(each for each in changes(paths) if each.who == BY_HAND)
    for file in paths.objects.rglob("*"):
        if file.is_file():
            file.unlink()

    with pytest.raises(NotFoundError, match="is not kept"):
        take_back(paths, by_hand.id)


def test_a_symlink_does_not_come_back_as_a_file(paths: Paths) -> None:
    link = paths.site / "overlays/motd/rootfs/etc/link"
    link.symlink_to("motd")
    edit(paths, HOSTS, "ours\n")
    link.unlink()
    edit(paths, HOSTS, "ours again\n")
    by_hand = next(each for each in changes(paths) if each.who == BY_HAND)

    with pytest.raises(ConflictError, match="link was a symlink"):
        take_back(paths, by_hand.id)


def test_hand_edits_of_configuration_and_overlays_at_once_are_left_to_patch(paths: Paths) -> None:
    edit(paths, MOTD, "first\n")
    (paths.site / MOTD).write_text("by hand\n")
    (paths.node_files / "n.yaml").write_text("nodes: {n1: {overlays: {system: [motd, hosts], runtime: []}}}\n")
    edit(paths, HOSTS, "ours\n")
    by_hand = next(each for each in changes(paths) if each.who == BY_HAND)

    assert not is_of_overlays(by_hand)
    with pytest.raises(ConflictError, match="is of configuration and of overlays"):
        undo(paths, by_hand)(SiteView.of(paths))
