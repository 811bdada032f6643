"""Secrets set, listed, deleted and checked; what shows of them when overlays are looked at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, ConflictError, NotFoundError, Problem, ProvisionerError
from provisioner.exchange.ansible import export_ansible
from provisioner.exchange.export import EXPORTERS, inventory_of
from provisioner.host.who import who
from provisioner.image.store import catalogue
from provisioner.operations.overlaydiff import diff_nodes
from provisioner.operations.overlayrender import list_rendered, render_file
from provisioner.operations.secrets import content_of, delete_secret, generated, list_secrets, set_secret
from provisioner.operations.simulate import simulate
from provisioner.operations.strict import check_strictly
from provisioner.operations.undo import to_undo
from provisioner.registry.collect import collect
from provisioner.registry.compiler import current
from provisioner.registry.history import changes
from provisioner.registry.revision import describe, keep
from provisioner.trust.secrets import LARGEST, SecretFolder
from tests.support.bootable import bootable, write
from tests.support.site import SITE, write_site

PASSWORD = "correct horse"
NODES = """\
nodes:
  n[1-2]: {overlays: {system: [around], runtime: []}, bmc: {password: "secret:bmc"}}
  n3: {overlays: {system: [], runtime: []}, bmc: {password: "in clear"}}
"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A site whose nodes n1 and n2 use the secrets app and key by way of another overlay."""
    files = {
        "provisioner.yaml": SITE,
        "nodes.d/n.yaml": NODES,
        "overlays/around/overlay.yaml": "uses: [app]\n",
        "overlays/app/overlay.yaml": "secrets: {etc/app.key: key}\n",
        "overlays/app/rootfs/etc/app.conf.j2": "of {{ node.name }}\npassword={{ secrets.app }}\n",
    }
    found = write_site(tmp_path / "site", files)
    found.snapshots.mkdir(parents=True)
    return found


@pytest.fixture
def complete(paths: Paths) -> Paths:
    """The same with all its secrets."""
    for name, content in (("app", f"{PASSWORD}\n".encode()), ("key", b"\xff\0"), ("bmc", b"calvin")):
        set_secret(paths, name, content)
    return paths


def problems(paths: Paths) -> tuple[Problem, ...]:
    try:
        check_strictly(paths, catalogue(paths))
    except ConfigError as error:
        return error.problems
    return ()


def test_a_check_names_every_secret_that_is_missing_and_who_needs_it(paths: Paths) -> None:
    found = {(each.file, each.line): (each.message, each.hint) for each in problems(paths)}

    assert found == {
        ("overlays/app/overlay.yaml", 1): (
            "there is no secret key (2 nodes: n[1-2])",
            "prov secret set key",
        ),
        ("overlays/app/rootfs/etc/app.conf.j2", 2): (
            "there is no secret app (2 nodes: n[1-2])",
            "prov secret set app",
        ),
        ("secrets/bmc", 0): (
            "bmc.password of n[1-2] names this secret, and it is not there",
            "prov secret set bmc",
        ),
    }


def test_a_check_notices_that_a_secret_came_changed_its_shape_or_went(paths: Paths) -> None:
    assert problems(paths)
    for name in ("app", "key", "bmc"):
        set_secret(paths, name, b"x")
    assert problems(paths) == ()

    set_secret(paths, "app", b"two\nlines\n")
    assert [each.file for each in problems(paths)] == ["overlays/app/rootfs/etc/app.conf.j2"]

    set_secret(paths, "app", b"x")
    delete_secret(paths, "key", force=True)
    assert [each.message for each in problems(paths)] == ["there is no secret key (2 nodes: n[1-2])"]


def test_a_check_names_secrets_that_others_can_read(complete: Paths) -> None:
    (complete.site / "secrets/app").chmod(0o644)

    (found,) = problems(complete)

    assert (found.file, found.hint) == ("secrets/app", f"chmod 0600 {complete.site}/secrets/app")


def test_a_secret_in_a_runtime_overlay_is_named_with_overlay_file_line_and_nodes(complete: Paths) -> None:
    (complete.node_files / "z.yaml").write_text("nodes: {n3: {overlays: {runtime: [app]}}}\n")

    found = [(each.file, each.line, each.message) for each in problems(complete)]

    message = "a runtime overlay cannot use secrets (node n3)"
    assert found == [
        ("overlays/app/overlay.yaml", 1, message),
        ("overlays/app/rootfs/etc/app.conf.j2", 2, message),
    ]


def test_secrets_are_no_part_of_a_revision_and_of_nothing_that_is_kept(complete: Paths) -> None:
    before = describe(collect(complete)).revision
    set_secret(complete, "app", b"another")
    keep(complete, collect(complete))

    assert describe(collect(complete)).revision == before
    assert not any("secrets" in key for key in collect(complete))
    kept = [each.read_bytes() for each in complete.state.rglob("*") if each.is_file()]
    assert kept
    assert not any(b"another" in content or b"calvin" in content for content in kept)


def test_secrets_are_listed_with_their_size_and_what_uses_them(complete: Paths) -> None:
    set_secret(complete, "idle", b"x")

    found = {each.name: (each.size, each.used_by) for each in list_secrets(complete)}

    assert found == {
        "app": (len(PASSWORD) + 1, ("app",)),
        "bmc": (6, ("bmc.password",)),
        "idle": (1, ()),
        "key": (2, ("app",)),
    }
    assert list(list_secrets(complete)[0].record()) == ["name", "bytes", "changed", "used_by"]


def test_a_site_without_secrets_has_none_to_list(paths: Paths) -> None:
    assert list_secrets(paths) == ()


def test_a_secret_that_nodes_need_stays_unless_somebody_insists(complete: Paths) -> None:
    set_secret(complete, "idle", b"x")
    for name in ("app", "key", "bmc"):
        with pytest.raises(ConflictError, match=r"n\[1-2\] would not boot"):
            delete_secret(complete, name)

    delete_secret(complete, "idle")
    delete_secret(complete, "app", force=True)

    assert [each.name for each in list_secrets(complete)] == ["bmc", "key"]
    with pytest.raises(NotFoundError, match="no secret idle"):
        delete_secret(complete, "idle")


def test_a_secret_goes_into_no_folder_that_is_no_site(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no site"):
        set_secret(Paths.below(tmp_path / "elsewhere"), "app", b"x")

    assert not (tmp_path / "elsewhere").exists()


def test_setting_tells_whether_there_was_one(paths: Paths) -> None:
    assert [set_secret(paths, "app", content) for content in (b"one", b"two")] == [False, True]


def test_random_bytes_are_as_many_as_asked_for_and_never_the_same() -> None:
    assert len(generated(1024)) == 1024
    assert generated(32) != generated(32)
    for count in (0, -1, LARGEST + 1):
        with pytest.raises(ProvisionerError, match="bytes are no secret"):
            generated(count)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProvisionerError, match="No such file or directory"):
        content_of(tmp_path / "none")


def test_overlays_are_shown_with_words_for_secrets_unless_they_are_to_be_revealed(complete: Paths) -> None:
    words = render_file(complete, "n1", "etc/app.conf", private=True).decode()
    real = render_file(complete, "n1", "etc/app.conf", reveal=True).decode()
    revealed = {each.entry.path: each.entry.content for each in list_rendered(complete, "n1", reveal=True)}

    assert words.startswith("of n1\npassword=<secret app ")
    assert real == f"of n1\npassword={PASSWORD}\n"
    assert revealed["etc/app.key"] == b"\xff\0"
    with pytest.raises(ConflictError, match="for its owner alone"):
        render_file(complete, "n1", "etc/app.conf")
    assert PASSWORD.encode() not in b"".join(each.entry.content for each in list_rendered(complete, "n1"))


def test_a_difference_of_nodes_shows_no_secret(complete: Paths) -> None:
    found = diff_nodes(complete, "n1", "n2")

    assert [each.path for each in found] == ["etc/app.conf"]
    assert PASSWORD not in str(found)


def test_a_rehearsal_tells_no_digest_of_what_it_does_not_send(tmp_path: Path) -> None:
    paths = bootable(tmp_path / "site")
    write(paths, "overlays/app/rootfs/etc/app.j2", "{{ secrets.app }}")
    write(paths, "nodes.d/z.yaml", "nodes: {n1: {overlays: {system: [app]}}}\n")

    missing = simulate(paths, catalogue(paths), "n1")
    set_secret(paths, "app", PASSWORD.encode())
    found = simulate(paths, catalogue(paths), "n1")

    assert [each.hint for each in missing.outcomes[0].problems] == ["prov secret set app"]
    (step,) = [each for each in found.outcomes[0].steps if each.what == "overlay/system"]
    assert not step.problem
    assert "sha256" not in step.detail
    assert PASSWORD not in json.dumps(found.record())


def test_an_export_has_the_reference_and_what_it_names_only_where_that_is_asked_for(complete: Paths) -> None:
    with current(complete) as published:
        plain = {kind: export(inventory_of(published)).text for kind, export in EXPORTERS.items()}
        secrets = SecretFolder.of(complete.site, {})
        revealed = json.loads(export_ansible(inventory_of(published, secrets=secrets)).text)

    assert "secret:bmc" in plain["ansible"]
    assert not [kind for kind, text in plain.items() if "calvin" in text or "in clear" in text]
    variables = revealed["_meta"]["hostvars"]
    assert [variables[name]["prov_bmc"]["password"] for name in ("n1", "n3")] == ["calvin", "in clear"]


def test_the_history_tells_who_set_and_deleted_a_secret_and_nothing_of_it(complete: Paths) -> None:
    delete_secret(complete, "app", force=True)

    found = [(each.command, each.who, each.files) for each in changes(complete)]

    assert found == [
        (f"prov secret {what}", who(), ()) for what in ("delete app", "set bmc", "set key", "set app")
    ]
    assert PASSWORD.encode() not in complete.history.read_bytes()


def test_a_secret_that_is_refused_is_no_change(paths: Paths) -> None:
    for name, content in (("../a", b"x"), ("empty", b"")):
        with pytest.raises(ProvisionerError):
            set_secret(paths, name, content)

    assert changes(paths) == []


def test_a_secret_is_nothing_that_can_be_undone_and_is_passed_over(complete: Paths) -> None:
    (newest, *_) = changes(complete)

    with pytest.raises(NotFoundError, match="nothing to undo"):
        to_undo(complete, None)
    with pytest.raises(ConflictError, match="of a secret, of which nothing is kept"):
        to_undo(complete, newest.id)


def test_a_sealed_secret_of_a_node_whose_tpm_is_not_asked_for_is_a_mistake(complete: Paths) -> None:
    (complete.site / "provisioner.yaml").write_text(f"{SITE}secrets: {{app: {{sealed: tpm}}, key: {{}}}}\n")

    with pytest.raises(ConfigError) as failed:
        check_strictly(complete, catalogue(complete))
    found = [(each.file, each.message) for each in failed.value.problems]

    words = "the secret app is sealed, and no TPM is asked for (2 nodes: n[1-2])"
    assert found == [("overlays/app/rootfs/etc/app.conf.j2", words)]
    (complete.site / "nodes.d/z.yaml").write_text("nodes: {'n[1-2]': {tpm: {required: true}}}\n")
    check_strictly(complete, catalogue(complete))
