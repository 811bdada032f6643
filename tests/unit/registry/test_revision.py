"""The hash of everything that people wrote."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from provisioner.errors import IntegrityError, NotFoundError
from provisioner.registry.collect import FileKind, SourceFile
from provisioner.registry.revision import Revision, capture, describe, short
from tests.support.site import SITE, write_site

FILES = {"provisioner.yaml": SITE, "nodes.d/n.yaml": "nodes: {n1: }\n"}


def test_equal_files_are_one_revision_wherever_they_lie(tmp_path: Path) -> None:
    one, two = (capture(write_site(tmp_path / name, FILES)) for name in ("a", "b"))

    assert one == two
    assert len(one.revision) == 64
    assert short(one.revision) == one.revision[:16]


@pytest.mark.parametrize(
    "change",
    [
        {"nodes.d/n.yaml": "nodes: {n2: }\n"},
        {"nodes.d/m.yaml": "nodes:\n"},
        {"overlays/ssh/rootfs/etc/ssh": "mine"},
        {"templates/boot.ipxe.j2": "mine"},
    ],
)
def test_any_change_is_another_revision(tmp_path: Path, change: dict[str, str]) -> None:
    before = capture(write_site(tmp_path, FILES))

    assert capture(write_site(tmp_path, {**FILES, **change})).revision != before.revision


def test_mode_and_kind_are_part_of_a_revision() -> None:
    def name(kind: FileKind, mode: int) -> str:
        return describe({"overlays/a/rootfs/x": SourceFile(kind, mode, b"y")}).revision

    assert len({name(FileKind.FILE, 0o644), name(FileKind.FILE, 0o755), name(FileKind.SYMLINK, 0o644)}) == 3


def test_a_kept_revision_reads_the_same_after_the_files_changed(tmp_path: Path) -> None:
    paths = write_site(tmp_path, FILES)
    kept = capture(paths)
    paths.site_file.write_text("cluster: other\n")

    revision = Revision.open(paths, kept.revision)

    assert revision.files == kept.files
    assert revision.read("site/provisioner.yaml") == SITE.encode()


def test_contents_are_kept_once_and_private_to_the_group(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {**FILES, "overlays/a/rootfs/x": "same", "overlays/a/rootfs/y": "same"})
    manifest = capture(paths)
    capture(paths)

    stored = [path for path in paths.objects.rglob("*") if path.is_file()]

    assert len(stored) == len({entry.digest for entry in manifest.files.values()})
    assert {stat.S_IMODE(path.stat().st_mode) for path in stored} == {0o640}


def test_a_content_that_changed_in_the_store_is_noticed(tmp_path: Path) -> None:
    paths = write_site(tmp_path, FILES)
    revision = Revision.open(paths, capture(paths).revision)
    digest = revision.files["site/provisioner.yaml"].digest
    (paths.objects / digest[:2] / digest).write_text("else")

    with pytest.raises(IntegrityError, match="is not what revision"):
        revision.read("site/provisioner.yaml")


@pytest.mark.parametrize("name", ["0" * 64, "../../etc/passwd", ""])
def test_a_revision_that_was_never_kept_is_not_found(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFoundError, match="there is no revision"):
        Revision.open(write_site(tmp_path, FILES), name)


def test_a_file_that_a_revision_lacks_is_not_found(tmp_path: Path) -> None:
    paths = write_site(tmp_path, FILES)

    with pytest.raises(NotFoundError, match="has no file"):
        Revision.open(paths, capture(paths).revision).read("site/other.yaml")


def test_what_is_missing_or_damaged_comes_with_a_command_that_mends_it(tmp_path: Path) -> None:
    paths = write_site(tmp_path, FILES)
    revision = Revision.open(paths, capture(paths).revision)
    digest = revision.files["site/provisioner.yaml"].digest
    path = paths.objects / digest[:2] / digest
    path.write_text("else")

    with pytest.raises(IntegrityError) as damaged:
        revision.read("site/provisioner.yaml")
    with pytest.raises(NotFoundError) as missing:
        Revision.open(paths, "0" * 64)

    assert str(damaged.value.hint).startswith(f"rm {path}; ")
    assert "prov status" in str(missing.value.hint)
