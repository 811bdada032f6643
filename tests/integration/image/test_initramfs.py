"""A tree as an initramfs, unpacked again by GNU cpio."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provisioner.config.paths import shipped_data
from provisioner.errors import ProvisionerError
from provisioner.host.run import run
from provisioner.image.codec import Codec
from provisioner.image.initramfs import INIT, Wish, pack

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("cpio", "getcap", "setcap", "zstd", "gzip"),
]

STAGE1 = shipped_data() / "images/stage1"
NAMES = ("/", "/bin", "/bin/sh", "/bin/ping", "/bin/again", "/etc", "/etc/link", "/etc/pipe", "/dev")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for folder in ("bin", "etc", "dev", "left"):
        (root / folder).mkdir(parents=True)
    (root / "bin/sh").write_text("a shell\n")
    (root / "bin/ping").write_bytes(os.urandom(5001))
    os.link(root / "bin/ping", root / "bin/again")
    (root / "etc/link").symlink_to("/away")
    os.mkfifo(root / "etc/pipe", 0o600)
    (root / "left/out").touch()
    os.chown(root / "bin/sh", 12, 34)
    (root / "bin/sh").chmod(0o4750)
    root.chmod(0o711)
    run(["setcap", "cap_net_raw=ep", root / "bin/ping"])
    return root


def packed(tree: Path, *, codec: Codec = Codec.ZSTD, epoch: int = 1000) -> tuple[Path, tuple[str, ...]]:
    output = tree.parent / "archive"
    warnings = pack(tree, NAMES, Wish(STAGE1 / INIT, codec, epoch), output=output)
    return output, warnings


@pytest.mark.parametrize(("codec", "program"), [(Codec.ZSTD, "zstd"), (Codec.GZIP, "gzip")])
def test_the_archive_holds_the_named_entries_of_the_tree_and_a_first_program(
    tree: Path, codec: Codec, program: str
) -> None:
    packed(tree, codec=codec)
    made = tree.parent / "made"
    made.mkdir()

    unpack = "cpio --extract --quiet --preserve-modification-time"
    run(["sh", "-c", f"{program} -dcq archive 2> /dev/null | (cd made && {unpack})"], cwd=tree.parent)

    assert {str(path.relative_to(made)) for path in made.rglob("*")} == {
        *(name.strip("/") for name in NAMES[1:]),
        *("init", ".provisioner", ".provisioner/capabilities"),
    }
    assert (made / "bin/again").samefile(made / "bin/ping")
    assert (made / "bin/ping").read_bytes() == (tree / "bin/ping").read_bytes()
    look = (made / "bin/sh").stat()
    assert (look.st_mode & 0o7777, look.st_uid, look.st_gid, look.st_mtime) == (0o4750, 12, 34, 1000)
    assert (made / "etc/link").readlink() == Path("/away")
    assert (made / "etc/pipe").is_fifo()
    listed = run(
        ["sh", "-c", f"{program} -dcq archive 2> /dev/null | cpio --list --verbose --quiet"], cwd=tree.parent
    )
    assert listed.startswith("drwx--x--x ")
    assert os.access(made / "init", os.X_OK)


def test_capabilities_travel_as_a_list_and_an_image_that_cannot_set_them_is_warned_of(tree: Path) -> None:
    archive, warnings = packed(tree)

    listed = run(
        ["sh", "-c", "zstd -dcq archive | cpio --extract --to-stdout --quiet '*/capabilities'"], cwd=archive.parent
    )

    assert listed == "capabilities\tcap_net_raw=ep\tbin/again\ncapabilities\tcap_net_raw=ep\tbin/ping\n"
    assert warnings == (
        "2 files lose their capabilities with a root of kind single: there is no setcap in the image",
    )


def test_the_same_tree_gives_the_same_bytes_and_room_for_the_next_archive(tree: Path) -> None:
    first = packed(tree)[0].read_bytes()
    os.utime(tree / "etc", (2000, 2000))

    assert packed(tree)[0].read_bytes() == first
    assert len(first) % 4 == 0


def test_an_image_without_a_shell_is_refused(tree: Path) -> None:
    (tree / "bin/sh").unlink()

    with pytest.raises(ProvisionerError, match="no /bin/sh"):
        packed(tree)


def test_a_file_that_the_format_cannot_hold_is_named(tree: Path) -> None:
    with (tree / "bin/ping").open("r+b") as stream:
        stream.truncate(5 << 30)

    with pytest.raises(ProvisionerError, match="/bin/again is larger than 4 GiB"):
        packed(tree)
