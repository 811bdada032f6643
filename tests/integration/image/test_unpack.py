"""Layers are applied by the real child process, locked into the tree by chroot."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from provisioner.errors import IntegrityError
from provisioner.image.layer import Limits
from provisioner.image.manifest import entries_of
from provisioner.image.oci import open_image
from provisioner.image.unpack import unpack
from tests.support.golden import Golden
from tests.support.oci import CREATED_SECONDS, Layout, Tar, good_layers, hostile_layers, layout

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("zstd")]

HOSTILE = sorted(hostile_layers(Path("/anywhere")))


@pytest.fixture(scope="module")
def good_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    return unpacked(folder, good_layers(), ["gzip", "zstd", "none"])


def unpacked(
    folder: Path, layers: Sequence[bytes], compressions: Sequence[str] = (), limits: Limits | None = None
) -> Path:
    image = open_image(layout(folder / "layout", layers, compressions))
    unpack(image, folder / "tree", limits=limits)
    return folder / "tree"


def names(tree: Path) -> list[str]:
    return sorted(str(path.relative_to(tree)) for path in tree.rglob("*"))


def listing(tree: Path) -> str:
    """Every entry with everything that a layer can say about it, one a line."""
    return "".join(line(tree / entry["path"], entry) + "\n" for entry in entries_of(tree))


def line(place: Path, entry: dict[str, Any]) -> str:
    status = place.lstat()
    links = "-" if stat.S_ISDIR(status.st_mode) else status.st_nlink
    facts = f"{stat.S_IMODE(status.st_mode):04o} {status.st_uid}:{status.st_gid} {links} {int(status.st_mtime)}"
    name = entry["path"].encode("utf-8", "surrogateescape")
    shown = {key: entry[key] for key in ("type", "device", "target", "xattrs", "size") if key in entry}
    content = place.read_bytes() if entry["type"] == "file" else b""
    return f"{facts} {name!r} {shown} {content!r}"


def test_all_that_an_honest_image_may_do_gives_exactly_this_tree(good_tree: Path, golden: Golden) -> None:
    golden("image/good-tree.txt", listing(good_tree))


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_the_compression_of_layers_does_not_show_in_the_tree(
    tmp_path: Path, good_tree: Path, compression: str
) -> None:
    tree = unpacked(tmp_path, good_layers(), [compression] * 3)

    assert listing(tree) == listing(good_tree)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_image_touches_nothing_outside(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (outside / "secret").chmod(0o600)
    before = listing(outside)
    folder = tmp_path / "image"
    folder.mkdir()

    try:
        unpacked(folder, hostile_layers(outside)[name])
    except IntegrityError as error:
        refused = error.message
    else:
        refused = ""

    assert listing(outside) == before
    assert not [path for path in (folder / "tree").rglob("*") if path.name == "secret" and path.is_file()], refused


@pytest.mark.parametrize("name", ["dot-dot", "hardlink-with-dot-dot", "nul-in-name", "root-is-a-symlink"])
def test_an_image_that_can_mean_no_good_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(IntegrityError, match="layer sha256:"):
        unpacked(tmp_path, hostile_layers(tmp_path)[name])


def test_an_opaque_marker_removes_only_what_lower_layers_made(tmp_path: Path) -> None:
    first = Tar().add("d", "directory").add("d/lower", data=b"1").add("d/sub", "directory").add("d/sub/lower")
    second = Tar().add("d/early", data=b"2").add("d/sub/early", data=b"3").add("d/.wh..wh..opq").add("d/late")

    tree = unpacked(tmp_path, [first.done(), second.done()])

    assert names(tree) == ["d", "d/early", "d/late", "d/sub", "d/sub/early"]


def test_an_opaque_marker_spares_what_its_layer_wrote_through_a_link(tmp_path: Path) -> None:
    first = Tar().add("usr/lib/old", data=b"1").add("lib", "symlink", link="usr/lib")
    second = Tar().add("lib/new", data=b"2").add("usr/lib/.wh..wh..opq")

    tree = unpacked(tmp_path, [first.done(), second.done()])

    assert names(tree) == ["lib", "usr", "usr/lib", "usr/lib/new"]


def test_a_whiteout_spares_what_its_own_layer_made(tmp_path: Path) -> None:
    layer = Tar().add("a", data=b"mine").add(".wh.a")

    assert names(unpacked(tmp_path, [layer.done()])) == ["a"]


def test_a_folder_keeps_its_time_when_a_later_layer_changes_what_it_holds(tmp_path: Path) -> None:
    first = Tar().add("d", "directory", mtime=1000).add("d/f", data=b"1").add("d/g", data=b"1")
    second = Tar().add("d/f", data=b"2").add("d/.wh.g")

    tree = unpacked(tmp_path, [first.done(), second.done()])

    assert (tree / "d").stat().st_mtime == 1000
    assert (tree / "d/f").read_bytes() == b"2"


def test_a_folder_that_no_layer_names_gets_the_time_of_the_image(tmp_path: Path) -> None:
    tree = unpacked(tmp_path, [Tar().add("a/b/c", data=b"1").done()])

    assert {int((tree / name).stat().st_mtime) for name in ("a", "a/b")} == {CREATED_SECONDS}


def test_the_latest_time_in_the_layers_is_told(tmp_path: Path) -> None:
    layers = [Tar().add("a", mtime=5000).done(), Tar().add("b", mtime=4000).done()]
    image = open_image(layout(tmp_path / "layout", layers))

    assert unpack(image, tmp_path / "tree").newest == 5000


def test_labels_are_kept_only_on_request(tmp_path: Path) -> None:
    layer = Tar().add("f", xattrs={"security.selinux": b"system_u:object_r:etc_t:s0\0"}).done()
    image = open_image(layout(tmp_path / "layout", [layer]))

    unpack(image, tmp_path / "without")
    unpack(image, tmp_path / "with", keep_selinux=True)

    assert os.listxattr(tmp_path / "without/f") == []
    assert os.listxattr(tmp_path / "with/f") == ["security.selinux"]


def test_a_sparse_file_keeps_its_holes(tmp_path: Path) -> None:
    source = tmp_path / "sparse"
    with source.open("wb") as stream:
        stream.seek(8 << 20)
        stream.write(b"end")
    archive = sparse_archive(source)

    tree = unpacked(tmp_path, [archive])

    status = (tree / "sparse").stat()
    assert (tree / "sparse").read_bytes() == source.read_bytes()
    assert status.st_blocks * 512 < 1 << 20


def sparse_archive(source: Path) -> bytes:
    """An archive in the old GNU sparse format, which Python can read and not write."""
    head = tarfile.TarInfo("sparse")
    head.size, head.type = 512, tarfile.GNUTYPE_SPARSE
    block = bytearray(head.tobuf(tarfile.GNU_FORMAT))
    size = source.stat().st_size
    for place, value in ((386, 8 << 20), (398, 3), (483, size)):
        block[place : place + 12] = b"%011o\0" % value
    block[124:136] = b"%011o\0" % 3
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + b"end".ljust(512, b"\0") + bytes(1024)


def test_too_many_bytes_are_refused(tmp_path: Path) -> None:
    layers = [Tar().add("a", data=bytes(600)).done(), Tar().add("b", data=bytes(600)).done()]

    with pytest.raises(IntegrityError, match="more than 400 bytes"):
        unpacked(tmp_path, layers, limits=Limits(size=1000))


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="more than 1 entries"):
        unpacked(tmp_path, [Tar().add("a").add("b").done()], limits=Limits(entries=1))


def test_a_path_of_too_many_parts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="300 parts"):
        unpacked(tmp_path, [Tar().add("/".join("d" * 300), data=b"x").done()])


def test_folders_nested_too_deep_through_links_are_refused(tmp_path: Path) -> None:
    first = "/".join("a" * 150)
    layer = Tar().add(f"{first}/f").add("l", "symlink", link=first).add("l/" + "/".join("b" * 150))

    with pytest.raises(IntegrityError, match="too deep"):
        unpacked(tmp_path, [layer.done()])


def test_a_bomb_is_stopped_while_it_unpacks(tmp_path: Path) -> None:
    bomb = Tar().add("zeros", data=bytes(64 << 20)).done()

    with pytest.raises(IntegrityError, match="more than 1048576 bytes"):
        unpacked(tmp_path, [bomb], ["zstd"], limits=Limits(size=1 << 20))
    assert names(tmp_path / "tree") == []


def test_padding_without_end_is_stopped_too(tmp_path: Path) -> None:
    padded = Tar().add("a").done() + bytes(64 << 20)

    with pytest.raises(IntegrityError, match="more bytes than"):
        unpacked(tmp_path, [padded], limits=Limits(size=1 << 20, entries=10))


def test_a_header_of_absurd_size_is_refused(tmp_path: Path) -> None:
    head = tarfile.TarInfo("pax")
    head.type, head.size = tarfile.XHDTYPE, 600 << 20
    buffer = io.BytesIO()
    with gzip.open(buffer, "wb", compresslevel=1) as stream:
        stream.write(head.tobuf())
        for _ in range(600):
            stream.write(bytes(1 << 20))
    made = Layout(tmp_path / "layout")
    kind = "application/vnd.oci.image.layer.v1.tar+gzip"
    descriptor = {"mediaType": kind, **made.blob(buffer.getvalue())}
    made.name(made.image([b""], descriptors=[descriptor]))

    with pytest.raises(IntegrityError, match="absurd size"):
        unpack(open_image(tmp_path / "layout"), tmp_path / "tree")


def test_a_layer_that_is_not_what_the_image_says_is_refused(tmp_path: Path) -> None:
    made = Layout(tmp_path / "layout")
    made.name(made.image([Tar().add("a").done()], diff_ids=["sha256:" + "0" * 64]))

    with pytest.raises(IntegrityError, match="the image says sha256:0000"):
        unpack(open_image(made.folder), tmp_path / "tree")


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_a_truncated_layer_is_refused(tmp_path: Path, compression: str) -> None:
    archive = Tar().add("a", data=os.urandom(1 << 20)).done()
    made = Layout(tmp_path / "layout")
    whole = made.layer(archive, compression)
    content = (made.folder / "blobs" / whole["digest"].replace(":", "/")).read_bytes()
    cut = {"mediaType": whole["mediaType"], **made.blob(content[: 1 << 19])}
    made.name(made.image([archive], descriptors=[cut]))

    with pytest.raises(IntegrityError, match="layer sha256:"):
        unpack(open_image(made.folder), tmp_path / "tree")


def test_an_entry_of_less_than_no_bytes_makes_no_room_for_others(tmp_path: Path) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        debt, bomb = tarfile.TarInfo("debt"), tarfile.TarInfo("bomb")
        debt.type, debt.pax_headers, bomb.size = tarfile.DIRTYPE, {"size": "-1000"}, 1500
        archive.addfile(debt)
        archive.addfile(bomb, io.BytesIO(bytes(1500)))

    with pytest.raises(IntegrityError, match="unpacks to more than 1000 bytes"):
        unpacked(tmp_path, [content.getvalue()], limits=Limits(size=1000))
