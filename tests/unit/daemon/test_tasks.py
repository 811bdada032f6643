"""What a worker does for the front process, called in this very process."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.daemon import tasks
from provisioner.model.snapshot import Snapshot
from provisioner.overlay.rendered import OverlayKind
from provisioner.render.environment import RenderError
from provisioner.trust.hostkey import host_key
from provisioner.trust.importedkeys import ImportedKeys
from provisioner.trust.secrets import SecretFolder
from provisioner.trust.sitekey import KEY_BYTES, SiteKey
from tests.support.imagetree import stored, tree
from tests.support.site import SITE, write_site

NODES = "nodes: {n1: {interfaces: {eth0: {ip: 10.0.1.1}}, overlays: {system: [hostname]}}}\n"
URL = "http://10.0.0.1:8080"


def site(folder: Path, **files: str) -> Paths:
    named = {name.replace("__", "/"): text for name, text in files.items()}
    return write_site(folder, {"provisioner.yaml": SITE, "nodes.d/a.yaml": NODES, **named})


def compiled(paths: Paths) -> str:
    result = tasks.compile_revision(paths)
    assert result.problems == ()
    assert result.revision is not None
    return result.revision


def test_a_good_site_compiles_to_a_revision(tmp_path: Path) -> None:
    assert len(compiled(site(tmp_path))) == 64


def test_mistakes_come_back_as_problems_and_not_as_exceptions(tmp_path: Path) -> None:
    paths = site(tmp_path)
    (paths.node_files / "b.yaml").write_text("nodes: {n2: {colour: red}}\n")

    result = tasks.compile_revision(paths)

    assert result.revision is None
    assert [str(problem).split(": ")[0] for problem in result.problems] == ["nodes.d/b.yaml:1:14"]


def test_a_damaged_record_of_an_image_is_a_problem_of_the_whole_site(tmp_path: Path) -> None:
    paths = site(tmp_path)
    record = paths.images / "images/x/generations/1.json"
    record.parent.mkdir(parents=True)
    record.write_text("{")

    (problem,) = tasks.compile_revision(paths).problems

    assert problem.file == str(paths.site)
    assert "1.json is no record of a generation" in problem.message


def test_a_state_that_cannot_be_written_is_a_problem_of_the_whole_site(tmp_path: Path) -> None:
    paths = site(tmp_path)
    paths.state.mkdir()
    paths.objects.write_text("a file where a folder belongs")

    (problem,) = tasks.compile_revision(paths).problems

    assert "the state cannot be read or written" in problem.message


def test_an_overlay_is_rendered_from_the_revision_and_not_from_what_is_written_now(tmp_path: Path) -> None:
    paths = site(tmp_path)
    revision = compiled(paths)
    (paths.data / "overlays/hostname/rootfs/etc/hostname").write_text("edited")

    assert b"edited" not in tasks.overlay(paths, revision, "n1", OverlayKind.SYSTEM, "debian-12@1").archive
    assert b"edited" in tasks.overlay(paths, compiled(paths), "n1", OverlayKind.SYSTEM, "debian-12@1").archive


def test_an_overlay_is_rendered_over_the_generation_that_boots_and_with_the_files_of_its_revision(
    tmp_path: Path,
) -> None:
    paths = site(tmp_path)
    (paths.site / "files").mkdir()
    (paths.site / "files/words").write_text("then")
    template = paths.data / "overlays/hostname/rootfs/etc/hostname.j2"
    template.write_text("{{ image.os.VERSION_ID if image.is_known else 'none' }} {{ site_file('words') }}")
    (paths.data / "overlays/hostname/rootfs/etc/hostname").unlink()
    names = [
        stored(paths, tree(tmp_path / version, {"etc/os-release": f"VERSION_ID={version}\n"})).name
        for version in ("11", "12")
    ]
    revision = compiled(paths)
    (paths.site / "files/words").write_text("now")

    made = [
        tasks.overlay(paths, revision, "n1", OverlayKind.SYSTEM, each).archive for each in (*names, "debian-12@9")
    ]

    for archive, expected in zip(made, (b"11 then", b"12 then", b"none then"), strict=True):
        assert expected in archive


def test_a_node_that_the_revision_does_not_have_is_an_error(tmp_path: Path) -> None:
    paths = site(tmp_path)

    with pytest.raises(RenderError, match="has no node n2"):
        tasks.overlay(paths, compiled(paths), "n2", OverlayKind.SYSTEM, "debian-12@1")


def test_a_boot_script_that_is_no_text_is_a_problem_before_any_machine_asks(tmp_path: Path) -> None:
    paths = site(tmp_path)
    (paths.data / "templates/unknown.ipxe.j2").write_bytes(b"\xff")

    (problem,) = tasks.compile_revision(paths).problems

    assert (problem.file, problem.message) == ("templates/unknown.ipxe.j2", "the template is not UTF-8 text")


def without_memory(*_: object) -> None:
    raise MemoryError


@pytest.mark.parametrize("name", ["read_snapshot", "pack"])
def test_a_lack_of_memory_is_told_so_that_the_worker_is_replaced_wherever_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    paths = site(tmp_path)
    revision = compiled(paths)
    monkeypatch.setattr(tasks, name, without_memory)

    with pytest.raises(tasks.ExhaustedError, match="the system overlay of n1 needs more memory than a worker has"):
        tasks.overlay(paths, revision, "n1", OverlayKind.SYSTEM, "debian-12@1")


def test_a_compilation_without_memory_is_told_so_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "compile_site", without_memory)

    with pytest.raises(tasks.ExhaustedError, match="the compilation of the site needs more memory"):
        tasks.compile_revision(site(tmp_path))


def test_snapshots_of_revisions_that_nobody_asks_for_any_more_are_given_back(tmp_path: Path) -> None:
    nodes = "nodes: {n1: {interfaces: {eth0: {ip: 10.0.1.1}}, overlays: {system: [ssh, hosts]}}}\n"
    paths = site(tmp_path)
    before = sum(isinstance(each, Snapshot) for each in gc.get_objects())

    for number in range(10):
        (paths.node_files / "a.yaml").write_text(f"{nodes}# edit {number}\n")
        tasks.overlay(paths, compiled(paths), "n1", OverlayKind.SYSTEM, "debian-12@1")
    gc.collect()

    # As many as the worker remembers for boots under way.
    assert sum(isinstance(each, Snapshot) for each in gc.get_objects()) - before <= 4


def test_a_worker_puts_the_secret_of_the_moment_into_a_system_overlay_and_tells_so(tmp_path: Path) -> None:
    paths = site(
        tmp_path,
        **{
            "overlays/app/rootfs/etc/app.j2": "pass={{ secrets.app }}",
            "nodes.d/b.yaml": "nodes: {n1: {overlays: {system: [app], runtime: [hosts]}}}\n",
        },
    )
    revision = compiled(paths)
    folder = SecretFolder.of(paths.site, {})
    asked = (paths, revision, "n1", OverlayKind.SYSTEM, "debian-12@1")

    folder.write("app", b"tiger")
    first = tasks.overlay(*asked)
    folder.write("app", b"lion")
    second = tasks.overlay(*asked)

    assert b"pass=tiger" in first.archive
    assert b"pass=lion" in second.archive
    assert (first.has_secrets, second.has_secrets) == (True, True)
    assert not tasks.overlay(paths, revision, "n1", OverlayKind.RUNTIME, "debian-12@1").has_secrets


def test_a_worker_gives_no_secret_to_a_runtime_overlay(tmp_path: Path) -> None:
    paths = site(
        tmp_path,
        **{
            "overlays/app/rootfs/etc/app.j2": "pass={{ secrets.app }}",
            "nodes.d/b.yaml": "nodes: {n1: {overlays: {runtime: [app]}}}\n",
        },
    )
    revision = compiled(paths)
    SecretFolder.of(paths.site, {}).write("app", b"tiger")

    with pytest.raises(RenderError, match=r"app\.j2:1: a runtime overlay cannot use secrets"):
        tasks.overlay(paths, revision, "n1", OverlayKind.RUNTIME, "debian-12@1")


def test_what_cannot_be_rendered_is_found_for_the_revision_that_is_served(tmp_path: Path) -> None:
    template = "overlays/hostname/rootfs/etc/motd.j2"
    paths = site(tmp_path, **{template: "{{ node.tags.colour }}\n"})

    found = tasks.render_problems(paths, compiled(paths))

    assert found is not None
    assert [problem.file for problem in found] == [template]


def test_a_look_at_a_revision_that_is_not_served_any_more_finds_nothing(tmp_path: Path) -> None:
    paths = site(tmp_path)
    former = compiled(paths)
    (paths.node_files / "b.yaml").write_text("nodes: {n2: }\n")
    compiled(paths)

    assert tasks.render_problems(paths, former) is None


def test_host_keys_that_are_imported_are_in_the_next_archive_of_the_same_revision(tmp_path: Path) -> None:
    nodes = "nodes: {n1: {interfaces: {eth0: {ip: 10.0.1.1}}, overlays: {system: [trust]}}}\n"
    template = "{% for each in host_trust.keys %}{{ each.key }}{% endfor %}"
    paths = site(tmp_path, **{"nodes.d/a.yaml": nodes, "overlays/trust/rootfs/etc/keys.j2": template})
    asked = (paths, compiled(paths), "n1", OverlayKind.SYSTEM, "debian-12@1")
    before = tasks.overlay(*asked)
    key = host_key(SiteKey(b"o" * KEY_BYTES), "n1")

    ImportedKeys(paths.keys).keep("n1", {"ed25519": key})

    assert key.public.encode() not in before.archive
    assert key.public.encode() in tasks.overlay(*asked).archive


def test_an_archive_with_the_password_of_a_bmc_is_told_as_one_with_secrets(tmp_path: Path) -> None:
    paths = site(
        tmp_path,
        **{
            "overlays/app/rootfs/etc/app.j2": "{{ node.bmc.password }}",
            "nodes.d/b.yaml": "nodes: {n1: {overlays: {system: [app]}, bmc: {password: hunter2}}}\n",
        },
    )

    made = tasks.overlay(paths, compiled(paths), "n1", OverlayKind.SYSTEM, "debian-12@1")

    assert b"hunter2" in made.archive
    assert made.has_secrets
