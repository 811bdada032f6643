"""Archives, folders and what docker saves: real skopeo and tar on one side, our unpacker on the other."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from provisioner.errors import ConflictError, IntegrityError, NotFoundError, ProvisionerError
from provisioner.image import archive, directory
from provisioner.image.build import Obtained
from provisioner.image.layer import Limits
from provisioner.image.reference import Kind, Reference, parse
from provisioner.image.terms import Terms
from tests.support.oci import CREATED_SECONDS, MTIME, Layout, Tar, compress, good_layers, hostile_layers

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("skopeo", "zstd", "tar", "setpriv")]

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zstd": lambda content: compress(content, "zstd"),
}
# An ELF header of a program for 64-bit ARM, up to its machine.
ARM = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00" + bytes(40)
OBTAIN = {
    Kind.OCI: archive.obtain_layout,
    Kind.OCI_ARCHIVE: archive.obtain_image_archive,
    Kind.DOCKER_ARCHIVE: archive.obtain_image_archive,
    Kind.TAR: archive.obtain_tar,
    Kind.DIRECTORY: directory.obtain,
}


def imported(source: str, folder: Path, **terms: Any) -> Obtained:
    """Import into `folder/work/tree`."""
    work = folder / "work"
    work.mkdir()
    store = folder / "store"
    store.mkdir()
    reference: Reference = parse(source)
    told = Terms(store=store, site_keys=folder / "keys", **terms)
    return OBTAIN[reference.kind](reference, work / "tree", told)


def names(folder: Path) -> list[str]:
    tree = folder / "work/tree"
    return sorted(str(path.relative_to(tree)) for path in tree.rglob("*"))


def skopeo(folder: Path, *words: str | Path) -> None:
    policy = folder / "policy.json"
    policy.write_text('{"default":[{"type":"insecureAcceptAnything"}]}')
    command = ["skopeo", "--policy", policy, "copy", "--quiet", *words]
    subprocess.run(command, check=True, env={**os.environ, "TMPDIR": str(folder)})


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "layout")
    made.name(made.image(good_layers(), compressions=["gzip", "none", "gzip"]), "latest")
    return made


@pytest.mark.parametrize("kind", ["oci-archive", "docker-archive"])
@pytest.mark.parametrize("typed", ["prefix", "bare", "tagged"])
def test_an_archive_of_an_image_is_the_image(tmp_path: Path, layout: Layout, kind: str, typed: str) -> None:
    file, tag = tmp_path / "saved.tar", "site.example:5000/toy:1" if kind == "docker-archive" else "v1"
    skopeo(tmp_path, f"oci:{layout.folder}:latest", f"{kind}:{file}:{tag}")
    source = {"prefix": f"{kind}:{file}", "bare": str(file), "tagged": f"{kind}:{file}:{tag}"}[typed]

    obtained = imported(source, tmp_path)

    assert obtained.may_be_base
    assert obtained.origin.kind in {"oci-archive", "docker-archive"}
    assert "usr/bin/hl3" in names(tmp_path)
    assert "etc/keep/gone" not in names(tmp_path)
    assert [each.name for each in (tmp_path / "work").iterdir()] == ["tree"]


@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
def test_what_newer_dockers_save_is_both_and_verified_by_digests(tmp_path: Path, kind: str) -> None:
    made = Layout(tmp_path / "layout")
    wanted = made.image([Tar().add("wanted", data=b"1").done()])
    made.name(wanted, "1")
    made.name(made.image([Tar().add("other", data=b"2").done()]), "2")
    (made.folder / "manifest.json").write_text("[]")
    file = tmp_path / "saved.tar.gz"
    subprocess.run(["tar", "-czf", file, "-C", made.folder, "."], check=True)
    tag = "site.example:5000/toy:1" if kind == "docker-archive" else "1"

    obtained = imported(f"{kind}:{file}:{tag}", tmp_path)

    assert (obtained.origin.digest, names(tmp_path)) == (wanted["digest"], ["wanted"])


def test_an_archive_of_an_image_is_not_taken_for_a_root(tmp_path: Path, layout: Layout) -> None:
    file = tmp_path / "saved.tar.zst"
    packed = subprocess.run(["tar", "-cf", "-", "-C", layout.folder, "."], capture_output=True, check=True).stdout
    file.write_bytes(compress(packed, "zstd"))

    with pytest.raises(ProvisionerError, match="an archive of an image") as caught:
        imported(str(file), tmp_path)
    assert f"oci-archive:{file}" in (caught.value.hint or "")


def test_an_archive_keeps_the_digest_of_its_manifest(tmp_path: Path, layout: Layout) -> None:
    file = tmp_path / "saved.tar"
    skopeo(
        tmp_path,
        *("--dest-oci-accept-uncompressed-layers", "--preserve-digests"),
        *(f"oci:{layout.folder}:latest", f"oci-archive:{file}:v1"),
    )

    assert imported(f"oci-archive:{file}", tmp_path).origin.digest == layout.manifests[0]["digest"]


def test_an_image_of_another_name_is_not_in_what_docker_saved(tmp_path: Path, layout: Layout) -> None:
    file = tmp_path / "saved.tar"
    skopeo(tmp_path, f"oci:{layout.folder}:latest", f"docker-archive:{file}:toy:1")

    with pytest.raises(NotFoundError, match="no image toy:2") as caught:
        imported(f"docker-archive:{file}:toy:2", tmp_path)
    assert "toy:1" in (caught.value.hint or "")


def test_a_layer_that_docker_saved_wrong_is_refused(tmp_path: Path, layout: Layout) -> None:
    file = tmp_path / "saved.tar"
    skopeo(tmp_path, f"oci:{layout.folder}:latest", f"docker-archive:{file}:toy:1")
    content = file.read_bytes().replace(b"through symlink", b"through nothing")
    file.write_bytes(content)

    with pytest.raises(IntegrityError, match="the image says"):
        imported(f"docker-archive:{file}", tmp_path)


@pytest.mark.parametrize("packer", sorted(PACKERS))
@pytest.mark.parametrize("typed", ["tar:", ""])
def test_an_archive_of_a_root_is_unpacked(tmp_path: Path, packer: str, typed: str) -> None:
    file = tmp_path / "root.tar"
    file.write_bytes(PACKERS[packer](Tar().add("./", "directory").add("./etc/motd", data=b"hello").done()))

    obtained = imported(f"{typed}{file}", tmp_path)

    digest = subprocess.run(["sha256sum", file], capture_output=True, text=True, check=True).stdout.split()[0]
    assert (tmp_path / "work/tree/etc/motd").read_text() == "hello"
    assert (obtained.origin.kind, obtained.origin.digest) == ("tar", f"sha256:{digest}")
    assert obtained.epoch == MTIME


def test_a_plain_archive_has_no_whiteouts(tmp_path: Path) -> None:
    file = tmp_path / "root.tar"
    file.write_bytes(Tar().add("a", data=b"1").add(".wh.a", data=b"2").add("d/.wh..wh..opq", data=b"3").done())

    imported(f"tar:{file}", tmp_path)

    assert names(tmp_path) == [".wh.a", "a", "d", "d/.wh..wh..opq"]


@pytest.mark.parametrize("cut", [0, 1, 512, 700, 1024, 2048])
@pytest.mark.parametrize("packer", sorted(PACKERS))
def test_a_truncated_archive_is_refused_wherever_it_ends(tmp_path: Path, packer: str, cut: int) -> None:
    whole = Tar().add("a", data=os.urandom(3000)).add("b", data=b"1").add("c", data=b"2").done()
    # Headers and data come to 7, 2 and 2 blocks; then there is the end mark, which is cut off in any case.
    file = tmp_path / "root.tar"
    file.write_bytes(PACKERS[packer](whole[: 11 * 512 - cut]))

    with pytest.raises(IntegrityError, match=r"damaged|cut short|cannot be applied|in the middle"):
        imported(f"tar:{file}", tmp_path)


@pytest.mark.parametrize("packer", ["gzip", "xz", "bzip2", "zstd"])
def test_an_archive_whose_compression_breaks_off_is_refused(tmp_path: Path, packer: str) -> None:
    packed = PACKERS[packer](Tar().add("a", data=os.urandom(1 << 18)).done())
    file = tmp_path / "root.tar"
    file.write_bytes(packed[: len(packed) // 2])

    with pytest.raises(IntegrityError, match=str(file)):
        imported(f"tar:{file}", tmp_path)


def test_a_damaged_header_is_not_taken_for_the_end(tmp_path: Path) -> None:
    content = bytearray(Tar().add("a", data=b"1").add("b", data=b"2").done())
    content[1024 + 10] ^= 0xFF
    file = tmp_path / "root.tar"
    file.write_bytes(content)

    with pytest.raises(IntegrityError, match="damaged or cut short"):
        imported(f"tar:{file}", tmp_path)


@pytest.mark.parametrize("name", sorted(hostile_layers(Path("/anywhere"))))
def test_a_hostile_archive_touches_nothing_outside(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (outside / "secret").chmod(0o600)
    before = outside.stat(), (outside / "secret").stat()
    file = tmp_path / "root.tar"
    file.write_bytes(hostile_layers(outside)[name][-1])

    with suppress(IntegrityError):
        imported(f"tar:{file}", tmp_path)
    after = outside.stat(), (outside / "secret").stat()
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "secret"
    assert [(s.st_mode, s.st_uid, s.st_nlink, s.st_mtime_ns) for s in after] == [
        (s.st_mode, s.st_uid, s.st_nlink, s.st_mtime_ns) for s in before
    ]


@pytest.mark.parametrize("packer", ["gzip", "xz", "bzip2", "zstd"])
def test_a_bomb_is_stopped(tmp_path: Path, packer: str) -> None:
    file = tmp_path / "root.tar"
    file.write_bytes(PACKERS[packer](Tar().add("zeros", data=bytes(32 << 20)).done()))

    with pytest.raises(IntegrityError, match="more than 1048576 bytes"):
        imported(f"tar:{file}", tmp_path, limits=Limits(size=1 << 20))
    assert names(tmp_path) == []


def test_programs_for_other_processors_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "root.tar"
    file.write_bytes(Tar().add("bin/sh", data=ARM, mode=0o755).done())
    other = tmp_path / "other"
    other.mkdir()

    with pytest.raises(ProvisionerError, match="is for linux/arm64, not for linux/amd64"):
        imported(f"tar:{file}", tmp_path)
    assert imported(f"tar:{file}", other, platform="linux/arm64").origin.platform == "linux/arm64"


@pytest.fixture
def chroot(tmp_path: Path) -> Path:
    root = tmp_path / "chroot"
    (root / "etc").mkdir(parents=True)
    (root / "bin").mkdir()
    (root / "etc/motd").write_text("hello")
    (root / "etc/motd2").hardlink_to(root / "etc/motd")
    os.setxattr(root / "etc/motd", "user.note", b"\xff")
    os.chown(root / "etc", 4_000_000, 7)
    (root / "link").symlink_to("/etc/shadow")
    with (root / "holes").open("wb") as stream:
        stream.seek(8 << 20)
        stream.write(b"end")
    for path in (root, *root.rglob("*")):
        os.utime(path, (CREATED_SECONDS, CREATED_SECONDS), follow_symlinks=False)
    return root


def test_a_folder_is_copied_as_it_is(tmp_path: Path, chroot: Path) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        os.chdir(chroot)
        opened.bind("socket")
        os.chdir("/")

    obtained = imported(f"dir:{chroot}", tmp_path)

    tree = tmp_path / "work/tree"
    assert names(tmp_path) == ["bin", "etc", "etc/motd", "etc/motd2", "holes", "link"]
    assert (tree / "etc/motd").stat().st_nlink == 2
    assert os.getxattr(tree / "etc/motd", "user.note") == b"\xff"
    assert ((tree / "etc").stat().st_uid, (tree / "etc").stat().st_gid) == (4_000_000, 7)
    assert (tree / "holes").stat().st_blocks * 512 < 1 << 20
    assert (tree / "holes").read_bytes() == (chroot / "holes").read_bytes()
    assert (tree / "link").readlink() == Path("/etc/shadow")
    assert (obtained.origin.kind, obtained.warnings) == ("directory", ())


def test_a_bare_folder_is_a_root_and_one_with_a_layout_is_not(chroot: Path, layout: Layout) -> None:
    assert parse(str(chroot)).kind is Kind.DIRECTORY
    assert parse(str(layout.folder)).kind is Kind.OCI


def test_what_is_mounted_in_a_folder_is_left_out(tmp_path: Path, chroot: Path) -> None:
    script = """
import sys
from pathlib import Path
from tests.integration.image.test_sources import imported, names
imported(f"dir:{sys.argv[1]}", Path(sys.argv[2]))
print(*names(Path(sys.argv[2])))
"""
    mount = 'mount -t tmpfs x "$1/bin" && echo x >"$1/bin/mounted" && shift && exec "$@"'
    command: list[str | Path] = [sys.executable, "-c", script, chroot, tmp_path]
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount, "sh", chroot, *command],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[3],
    )

    assert done.stdout.split() == ["bin", "etc", "etc/motd", "etc/motd2", "holes", "link"]


def test_a_folder_that_something_runs_in_is_refused(tmp_path: Path, chroot: Path) -> None:
    script = "import os, sys; os.chroot(sys.argv[1]); os.chdir('/'); print('in', flush=True); sys.stdin.read()"
    command: list[str | Path] = [sys.executable, "-c", script, chroot]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in\n"

        with pytest.raises(ConflictError, match=f"process {process.pid} has"):
            imported(f"dir:{chroot}", tmp_path)
        process.kill()


def test_the_root_of_this_machine_is_refused_under_any_name(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/")

    with pytest.raises(ProvisionerError, match="is the root of this machine") as caught:
        imported(f"dir:{tmp_path / 'link'}", tmp_path)
    assert "ssh://localhost" in (caught.value.hint or "")


def test_a_folder_that_holds_the_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProvisionerError, match="holds the image store"):
        imported(f"dir:{tmp_path}", tmp_path)


def test_an_empty_file_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "empty.tar").touch()

    with pytest.raises(ProvisionerError, match="no archive"):
        parse(str(tmp_path / "empty.tar"))


def test_an_archive_of_gnu_tar_with_its_oddities_is_unpacked(tmp_path: Path, chroot: Path) -> None:
    file = tmp_path / "root.tar.gz"
    subprocess.run(["tar", "-czSf", file, "--format=gnu", "-C", chroot, "."], check=True)

    imported(str(file), tmp_path)

    assert names(tmp_path) == ["bin", "etc", "etc/motd", "etc/motd2", "holes", "link"]
    assert (tmp_path / "work/tree/holes").read_bytes() == (chroot / "holes").read_bytes()


def test_python_writes_the_end_mark_that_is_asked_for(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        made.addfile(tarfile.TarInfo("a"))
    (tmp_path / "root.tar").write_bytes(buffer.getvalue())

    imported(f"tar:{tmp_path / 'root.tar'}", tmp_path)

    assert names(tmp_path) == ["a"]


def test_an_archive_of_several_images_is_called_what_it_was_called(tmp_path: Path) -> None:
    made = Layout(tmp_path / "layout")
    for tag, layers in (("one", good_layers()[:1]), ("two", good_layers())):
        made.name(made.image(layers), tag)
    file = tmp_path / "images.tar"
    subprocess.run(["tar", "-C", made.folder, "-cf", file, "."], check=True)

    with pytest.raises(ProvisionerError, match=f"^{file} has 2 images") as caught:
        imported(f"oci-archive:{file}", tmp_path)
    assert caught.value.hint == f"prov image import oci-archive:{file}:TAG NAME; tags: one, two"


def test_a_bundle_is_not_taken_for_a_root(tmp_path: Path) -> None:
    file = tmp_path / "images.bundle"
    file.write_bytes(Tar().add("bundle.json", data=b"{}").add("artifacts/x", data=b"kernel").done())

    with pytest.raises(ProvisionerError, match="is a bundle of images") as caught:
        imported(str(file), tmp_path)
    assert caught.value.hint == f"prov image load {file}"
