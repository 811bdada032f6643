"""Changes of overlays: what they come to, what is refused, what the history says of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, ConflictError, NotFoundError, ProvisionerError
from provisioner.image.store import catalogue
from provisioner.operations import history as told
from provisioner.operations import overlayedits as edits
from provisioner.operations.change import Applied
from provisioner.operations.overlaychange import commit, draft
from provisioner.operations.overlayedits import OverlayPlan
from provisioner.registry.history import change, changes
from tests.support.site import SITE, write_site

NODES = "nodes: {'n[001-003]': {overlays: {system: [motd], runtime: []}}}\n"
TEXT = "overlays/motd/rootfs/etc/motd.j2"
DECLARED = "overlays/motd/overlay.yaml"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    files = {
        "provisioner.yaml": SITE,
        "nodes.d/n.yaml": NODES,
        DECLARED: "description: words  # of the day\nfiles:\n  # read by login\n  etc/motd: {mode: '0644'}\n",
        TEXT: "{{ node.name }}\n",
    }
    found = write_site(tmp_path, files)
    (found.data / "overlays/motd/rootfs/etc/motd").unlink()
    return found


def apply(paths: Paths, plan: OverlayPlan) -> Applied:
    return commit(draft(paths, catalogue(paths), plan), command="prov overlay")


def text(paths: Paths, key: str) -> str:
    return (paths.site / key).read_text()


def test_a_new_overlay_is_there_with_its_description(paths: Paths) -> None:
    assert apply(paths, edits.create("banner", "before the login")).files == ("overlays/banner/overlay.yaml",)

    assert text(paths, "overlays/banner/overlay.yaml") == 'description: "before the login"\n'


@pytest.mark.parametrize("name", ["motd", "hostname"])
def test_the_name_of_another_overlay_is_taken(paths: Paths, name: str) -> None:
    with pytest.raises(ConflictError, match="already"):
        draft(paths, catalogue(paths), edits.create(name))


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "-x"])
def test_what_is_no_name_is_no_overlay(name: str) -> None:
    with pytest.raises(ProvisionerError, match="is not a name"):
        edits.create(name)


def test_an_edit_of_a_shipped_file_makes_a_file_of_the_site_and_no_other(paths: Paths) -> None:
    apply(paths, edits.edited("hostname", "etc/hostname", b"ours\n"))

    assert text(paths, "overlays/hostname/rootfs/etc/hostname") == "ours\n"
    assert text(paths, "data/overlays/hostname/rootfs/etc/hostname") == "hostname"


def test_a_template_goes_by_the_name_of_what_it_makes(paths: Paths) -> None:
    assert apply(paths, edits.edited("motd", "/etc/motd", b"hello {{ node.name }}\n")).files == (TEXT,)


def test_comments_survive_a_declaration(paths: Paths) -> None:
    apply(paths, edits.chmod("motd", "etc/motd", "640"))
    apply(paths, edits.chown("motd", "etc/motd", "12:34"))

    assert text(paths, DECLARED) == (
        "description: words  # of the day\nfiles:\n  # read by login\n"
        '  etc/motd: {mode: "0640", uid: 12, gid: 34}\n'
    )


def test_a_folder_is_declared_as_one(paths: Paths) -> None:
    apply(paths, edits.chmod("motd", "etc", "0750"))

    assert '  etc: {kind: directory, mode: "0750"}\n' in text(paths, DECLARED)


@pytest.mark.parametrize("mode", ["rwx", "99", "0888", "12345", ""])
def test_what_is_no_mode_is_refused(mode: str) -> None:
    with pytest.raises(ProvisionerError, match="is not a file mode"):
        edits.chmod("motd", "etc/motd", mode)


@pytest.mark.parametrize("owner", ["alice", "1:bob", ":", "", "-1"])
def test_an_owner_is_a_number(owner: str) -> None:
    with pytest.raises(ProvisionerError, match="is not an owner"):
        edits.chown("motd", "etc/motd", owner)


def test_a_path_that_an_overlay_does_not_make_gets_no_mode(paths: Paths) -> None:
    with pytest.raises(ConflictError, match="makes no file etc/issue"):
        draft(paths, catalogue(paths), edits.chmod("motd", "etc/issue", "0644"))


@pytest.mark.parametrize("path", ["../../etc/passwd", "etc/../../x", ""])
def test_no_path_leads_out_of_an_overlay(paths: Paths, path: str) -> None:
    with pytest.raises(ProvisionerError):
        draft(paths, catalogue(paths), edits.edited("motd", path, b""))


def test_an_executable_file_keeps_its_mode_by_declaration(paths: Paths) -> None:
    apply(paths, edits.imported("motd", "/usr/bin/x", b"#!/bin/sh\n", 0o755))

    assert text(paths, "overlays/motd/rootfs/usr/bin/x") == "#!/bin/sh\n"
    assert '  usr/bin/x: {mode: "0755"}\n' in text(paths, DECLARED)


def test_a_file_that_everybody_reads_needs_no_declaration(paths: Paths) -> None:
    assert len(apply(paths, edits.imported("motd", "etc/x", b"", 0o664)).files) == 1


def test_a_copy_has_all_files_and_what_were_links_are_declared(paths: Paths) -> None:
    (paths.site / "overlays/motd/rootfs/etc/link").symlink_to("motd")

    apply(paths, edits.copy("motd", "other"))

    assert text(paths, "overlays/other/rootfs/etc/motd.j2") == "{{ node.name }}\n"
    assert "links: {etc/link: motd}" in text(paths, "overlays/other/overlay.yaml")


def test_a_shipped_overlay_is_copied_into_the_site_under_its_own_name(paths: Paths) -> None:
    apply(paths, edits.copy("hostname", "hostname"))

    assert text(paths, "overlays/hostname/rootfs/etc/hostname") == "hostname"


def test_an_overlay_in_use_stays_and_its_users_are_named(paths: Paths) -> None:
    with pytest.raises(ConflictError, match=r"in use by nodes n\[001-003\]"):
        draft(paths, catalogue(paths), edits.delete("motd"))


def test_groups_and_overlays_that_name_it_are_users_too(paths: Paths) -> None:
    apply(paths, edits.create("banner"))
    (paths.site / "groups.d").mkdir()
    (paths.site / "groups.d/g.yaml").write_text("groups: {g: {overlays: {runtime: [banner]}}}\n")
    apply(paths, edits.edited("motd", "overlay.yaml", b"uses: [banner]\n"))

    with pytest.raises(ConflictError, match="in use by group g, overlay motd"):
        draft(paths, catalogue(paths), edits.delete("banner"))


def test_a_deleted_overlay_leaves_nothing(paths: Paths) -> None:
    apply(paths, edits.create("banner"))
    apply(paths, edits.edited("banner", "etc/deep/banner", b"x"))

    apply(paths, edits.delete("banner"))

    assert not (paths.site / "overlays/banner").exists()


def test_what_ships_is_not_deleted(paths: Paths) -> None:
    with pytest.raises(ConflictError, match="ships with the product"):
        draft(paths, catalogue(paths), edits.delete("hostname"))


def test_when_a_file_of_the_site_goes_the_shipped_one_shows_again(paths: Paths) -> None:
    apply(paths, edits.edited("hostname", "etc/hostname", b"ours\n"))

    drafted = draft(paths, catalogue(paths), edits.delete("hostname", "etc/hostname"))

    assert list(drafted.differences())[-3:] == ["@@ -1 +1 @@", "-ours", "+hostname"]
    assert drafted.after["overlays/hostname/rootfs/etc/hostname"].content == b"hostname"


def test_a_mistake_in_the_syntax_is_not_written(paths: Paths) -> None:
    with pytest.raises(ConfigError, match=r"motd\.j2:1:"):
        draft(paths, catalogue(paths), edits.edited("motd", "etc/motd", b"{% for"))


def test_what_no_node_could_render_is_not_written(paths: Paths) -> None:
    with pytest.raises(ConfigError, match=r"motd.j2:2:1: .*colour.* \(3 nodes: n\[001-003\]\)"):
        draft(paths, catalogue(paths), edits.edited("motd", "etc/motd", b"x\n{{ node.tags.colour }}\n"))


def test_an_overlay_that_was_broken_before_may_still_be_changed(paths: Paths) -> None:
    (paths.site / TEXT).write_text("{{ nothing }}\n")

    apply(paths, edits.edited("motd", "etc/more", b"more\n"))

    assert text(paths, "overlays/motd/rootfs/etc/more") == "more\n"


def test_nothing_changes_where_the_text_is_the_same(paths: Paths) -> None:
    assert draft(paths, catalogue(paths), edits.edited("motd", "etc/motd", b"{{ node.name }}\n")).contents == {}


def test_the_plan_shows_what_boots_would_do_differently(paths: Paths) -> None:
    drafted = draft(paths, catalogue(paths), edits.edited("motd", "etc/motd", b"hello {{ node.name }}\n"))

    (group,) = drafted.boot_plan().groups

    assert group.folded == "n[001-003]"
    assert [each.name for each in group.changes] == ["etc/motd"]


def test_the_history_has_each_change_with_both_texts(paths: Paths) -> None:
    apply(paths, edits.edited("motd", "etc/motd", b"hello {{ node.name }}\n"))

    _, (diff,) = told.show(paths, changes(paths)[0].id)

    assert "-{{ node.name }}\n+hello {{ node.name }}\n" in (diff.diff or "")


def test_nothing_counts_as_a_hand_edit_after_a_shipped_file_was_covered_and_shown_again(paths: Paths) -> None:
    apply(paths, edits.edited("hostname", "etc/hostname", b"ours\n"))
    apply(paths, edits.delete("hostname", "etc/hostname"))
    apply(paths, edits.create("banner"))

    assert [each.command for each in changes(paths)] == ["prov overlay"] * 3


def test_a_site_that_became_another_one_is_planned_again(paths: Paths) -> None:
    drafted = draft(paths, catalogue(paths), edits.chmod("motd", "etc/motd", "0600"))
    (paths.site / "nodes.d/more.yaml").write_text("nodes: {n009: }\n")

    assert commit(drafted, command="prov overlay").files == (DECLARED,)


def test_a_change_that_would_no_longer_be_what_was_shown_is_not_made(paths: Paths) -> None:
    drafted = draft(paths, catalogue(paths), edits.chmod("motd", "etc/motd", "0600"))
    (paths.site / DECLARED).write_text("files: {etc/motd: {mode: '0444'}}\n")

    with pytest.raises(ConflictError, match="changed meanwhile"):
        commit(drafted, command="prov overlay")
    assert text(paths, DECLARED) == "files: {etc/motd: {mode: '0444'}}\n"


@pytest.mark.parametrize(
    "plan",
    [
        lambda: edits.edited("nothing", "etc/x", b""),
        lambda: edits.copy("nothing", "other"),
        lambda: edits.delete("nothing"),
        lambda: edits.delete("motd", "etc/nothing"),
    ],
)
def test_what_does_not_exist_is_named(paths: Paths, plan: Callable[[], OverlayPlan]) -> None:
    with pytest.raises(NotFoundError, match="nothing"):
        draft(paths, catalogue(paths), plan())


def test_a_symlink_is_neither_edited_nor_followed(paths: Paths) -> None:
    (paths.site / "overlays/motd/rootfs/etc/link").symlink_to("/etc/passwd")

    with pytest.raises(ConflictError, match="is a symlink to /etc/passwd"):
        draft(paths, catalogue(paths), edits.delete("motd", "etc/link"))


def test_the_change_is_written_with_its_number(paths: Paths) -> None:
    number = apply(paths, edits.create("banner")).number

    assert change(paths, number).files[0].path == "overlays/banner/overlay.yaml"
