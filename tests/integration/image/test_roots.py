"""Roots in memory made by the very functions of stage 1, run by its shell in a mount namespace of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provisioner.config.paths import shipped_data
from provisioner.errors import CommandError
from provisioner.host.run import run

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("dash", "getcap", "losetup", "mksquashfs", "setcap", "unshare"),
]

STAGE1 = shipped_data() / "images/stage1/90provisioner"
# What needs a kernel line, a console, a network or dracut, and nothing else.
STUBS = """
. "$STAGE1/stage1.sh"
WORK=$SCRATCH/work NEWROOT=$SCRATCH/root
mkdir -p "$WORK" "$NEWROOT"
say() { echo "$*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
report() { :; }
argument() { case $1 in root) echo "$KIND" ;; size) echo "$SIZE" ;; esac; }
modprobe() { :; }
stream_root() { cat "$SCRATCH/packed"; }
sheet() {
    case $1 in
        generation) echo demo@1 ;;
        root_size) stat -c %s "$SCRATCH/packed" ;;
        root_sha256) sha256sum "$SCRATCH/packed" | cut -d ' ' -f 1 ;;
        unpacked_size) echo "$UNPACKED" ;;
    esac
}
"""
LOOK = """
make_root
findmnt -n -o FSTYPE,OPTIONS "$NEWROOT"
grep -c "$SCRATCH" /proc/mounts
losetup --list --noheadings --output BACK-FILE | grep -c "^$WORK" || :
getcap -n "$NEWROOT/usr/ping" | sed 's/.* //'
stat -c '%a %u %g %Y %h' "$NEWROOT/usr/one"
[ "$NEWROOT/usr/one" -ef "$NEWROOT/usr/two" ] && echo linked
readlink "$NEWROOT/usr/away"
stat -c '%a' "$NEWROOT" "$NEWROOT/usr/private"
"""


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A folder with the packed image of a tree that has everything that a copy may lose."""
    tree = tmp_path / "tree"
    (tree / "usr").mkdir(parents=True)
    one = tree / "usr/one"
    one.write_text("x" * 5000)
    one.chmod(0o640)
    os.chown(one, 123, 456)
    os.link(one, tree / "usr/two")
    os.utime(one, (1000, 1000))
    (tree / "usr/away").symlink_to("/etc/elsewhere")
    (tree / "usr/ping").write_text("p")
    (tree / "usr/private").mkdir(mode=0o700)
    run(["setcap", "cap_net_raw=ep", tree / "usr/ping"])
    run(["mksquashfs", tree, tmp_path / "packed", "-comp", "zstd", "-no-progress", "-quiet"])
    return tmp_path


def make(scratch: Path, kind: str, script: str = LOOK, *, size: str = "", unpacked: int = 16384) -> list[str]:
    """What a script says that makes a root; all mounts go with its namespace."""
    told = {"STAGE1": STAGE1, "SCRATCH": scratch, "KIND": kind, "SIZE": size, "UNPACKED": unpacked}
    environment = {**os.environ, **{name: str(value) for name, value in told.items()}}
    return run(["unshare", "--mount", "dash", "-c", STUBS + script], environment=environment).splitlines()


def test_an_unpacked_root_is_the_image_and_nothing_packed_stays(scratch: Path) -> None:
    said = make(scratch, "tmpfs", size="10%")

    assert said[:3] == ["image: demo@1, 0 MiB", "image: complete and verified", "root: unpacked"]
    mounted, mounts, loops, *files = said[3:]
    assert mounted.startswith("tmpfs ")
    assert "size=" in mounted
    assert (mounts, loops) == ("1", "0")
    assert files == ["cap_net_raw=ep", "640 123 456 1000 2", "linked", "/etc/elsewhere", "755", "700"]


def test_a_packed_root_is_the_same_image(scratch: Path) -> None:
    said = make(scratch, "overlay", size="16m")

    assert said[2] == "root: mounted"
    assert said[3].startswith("overlay ")
    assert said[-6:] == ["cap_net_raw=ep", "640 123 456 1000 2", "linked", "/etc/elsewhere", "755", "700"]


def test_what_a_node_may_write_is_bounded(scratch: Path) -> None:
    said = make(scratch, "overlay", 'make_root\nfindmnt -n -o OPTIONS "$WORK/upper"', size="16m")

    assert "size=16384k" in said[-1]


def test_an_unpacked_root_is_refused_before_anything_is_fetched_where_it_may_not_be_as_large(
    scratch: Path,
) -> None:
    with pytest.raises(CommandError) as failed:
        make(scratch, "tmpfs", size="1m", unpacked=5 << 20)

    assert failed.value.output.strip() == "FAILED: the unpacked root has 5 MiB and may take 1 MiB (root.size 1m)"


def test_a_machine_with_too_little_memory_says_what_it_lacks_before_anything_is_fetched(scratch: Path) -> None:
    with pytest.raises(CommandError) as failed:
        make(scratch, "tmpfs", size="100%", unpacked=int(run(["sh", "-c", _HALF_AS_MUCH_AGAIN])))

    assert "FAILED: not enough memory: " in failed.value.output
    assert "image: " not in failed.value.output


# Bytes: less than the whole memory, more than is free.
_HALF_AS_MUCH_AGAIN = "echo $(($(grep '^MemTotal:' /proc/meminfo | tr -cd 0-9) * 1020))"


def test_pages_go_round_where_memory_belongs_to_several_processors(scratch: Path) -> None:
    nodes = 'set -- /sys/devices/system/node/node[0-9]*\necho $#\nspread | tr , " "'

    count, *words = make(scratch, "tmpfs", nodes)

    assert words == ([" mpol=interleave"] if int(count) > 1 else [])
