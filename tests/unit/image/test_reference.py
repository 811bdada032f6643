from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import NotFoundError, ProvisionerError
from provisioner.image.reference import Kind, Reference, parse
from tests.support.oci import Layout, Tar
from tests.support.sif import Sif

DIGEST = "sha256:" + "a" * 64
PREFIXES = ("", "docker://", "oci:", "oci-archive:", "docker-archive:", "tar:", "dir:", "sif:", "ssh://")


@pytest.mark.parametrize(
    ("text", "place", "tag", "digest"),
    [
        ("docker://rockylinux/rockylinux:9", "rockylinux/rockylinux", "9", None),
        ("docker://rocky", "rocky", "latest", None),
        ("docker://host.example:5000/a/b", "host.example:5000/a/b", "latest", None),
        ("docker://localhost:5000/a", "localhost:5000/a", "latest", None),
        ("docker://[::1]:5000/a:1", "[::1]:5000/a", "1", None),
        (f"docker://h.example/a@{DIGEST}", "h.example/a", None, DIGEST),
        (f"docker://h.example/a:9@{DIGEST}", "h.example/a", None, DIGEST),
    ],
)
def test_an_image_of_a_registry_has_a_name_and_a_tag_or_digest(
    text: str, place: str, tag: str | None, digest: str | None
) -> None:
    assert parse(text) == Reference(Kind.REGISTRY, text, place, tag, digest)


@pytest.mark.parametrize(
    "text",
    [
        "docker://Upper/Case",
        "docker://a:",
        "docker://a:b c",
        "docker://a@sha256:00",
        "docker://-x",
        "docker://a/../b",
        "docker://a//b",
    ],
)
def test_what_names_no_image_of_a_registry_is_refused(text: str) -> None:
    with pytest.raises(ProvisionerError, match="names no image") as caught:
        parse(text)
    assert "docker://HOST/PATH" in (caught.value.hint or "")


@pytest.mark.parametrize("prefix", PREFIXES[1:])
def test_a_kind_without_a_place_is_refused(prefix: str) -> None:
    with pytest.raises(ProvisionerError, match="does not say where"):
        parse(prefix)


@pytest.mark.parametrize(
    ("text", "place", "tag"),
    [
        ("oci:a/b", "a/b", None),
        ("oci:a/b:latest", "a/b", "latest"),
        ("oci:/a:b/c", "/a:b/c", None),
        ("oci-archive:x.tar:v1", "x.tar", "v1"),
        ("docker-archive:x.tar:rocky:9", "x.tar", "rocky:9"),
    ],
)
def test_a_path_is_parted_from_the_tag_behind_it(text: str, place: str, tag: str | None) -> None:
    found = parse(text)

    assert (found.place, found.tag) == (place, tag)


def test_the_longest_path_that_exists_is_the_place(tmp_path: Path) -> None:
    (tmp_path / "a:b").mkdir()
    (tmp_path / "c.tar").touch()

    assert parse(f"oci:{tmp_path}/a:b").tag is None
    assert parse(f"oci:{tmp_path}/a:b:c").tag == "c"
    assert parse(f"docker-archive:{tmp_path}/c.tar:site.example:5000/toy:1").tag == "site.example:5000/toy:1"


def test_a_bare_path_is_what_it_is(tmp_path: Path) -> None:
    Layout(tmp_path / "layout")
    (tmp_path / "root").mkdir()
    (tmp_path / "a.sif").write_bytes(Sif().done())
    tar, image = Tar().add("./etc", "directory").done(), Tar().add("blobs/sha256/x", data=b"1").done()
    saved = Tar().add("a" * 64 + "/", "directory").done()
    for name, content in {"root.tar": tar, "image.tar": image, "saved.tar": saved}.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))

    found = {path.name: parse(str(path)).kind for path in tmp_path.iterdir()}

    assert found == {
        "layout": Kind.OCI,
        "root": Kind.DIRECTORY,
        "a.sif": Kind.SIF,
        "root.tar": Kind.TAR,
        "root.tar.gz": Kind.TAR,
        "image.tar": Kind.OCI_ARCHIVE,
        "image.tar.gz": Kind.OCI_ARCHIVE,
        "saved.tar": Kind.OCI_ARCHIVE,
        "saved.tar.gz": Kind.OCI_ARCHIVE,
    }
    assert parse(str(tmp_path / "root")).guessed


def test_a_file_that_is_nothing_of_all_that_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.tar").write_text("hello")

    with pytest.raises(ProvisionerError, match="is no archive"):
        parse(str(tmp_path / "notes.tar"))


def test_a_word_that_is_no_path_is_taken_for_a_forgotten_prefix() -> None:
    with pytest.raises(NotFoundError, match="neither a path") as caught:
        parse("rocky:9")
    assert "docker://rocky:9" in (caught.value.hint or "")


@given(st.sampled_from(PREFIXES), st.text(alphabet=st.characters(exclude_characters="\0"), max_size=60))
def test_any_text_is_a_source_or_refused(prefix: str, rest: str) -> None:
    try:
        found = parse(prefix + rest)
    except (ProvisionerError, OSError):
        return
    assert found.text == prefix + rest
    if found.kind is Kind.REGISTRY:
        assert not found.place.startswith("-")
