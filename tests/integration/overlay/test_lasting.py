"""Overlays on a root that lasts: what one boot laid is taken off by the next, by the very functions of stage 1."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provisioner.archive import cpio
from provisioner.archive.tree import Entry, Kind
from provisioner.config.paths import shipped_data
from provisioner.errors import CommandError
from provisioner.host.run import run
from provisioner.overlay.manifest import MANIFEST

pytestmark = [pytest.mark.integration, pytest.mark.needs("cpio", "dash", "shellcheck")]

STAGE1 = shipped_data() / "images/stage1/90provisioner"
# What needs a kernel line, a console or a network, and nothing else. CUT is where the power goes.
STUBS = """
. "$STAGE1/stage1.sh"
WORK=$SCRATCH/work NEWROOT=$SCRATCH/root KEPT=$SCRATCH/root/.ours/kept
say() { :; }
fail() { echo "FAILED: $*" >&2; exit 1; }
report() { :; }
sync() { :; }
fetch_small() { cp "$SCRATCH/system.cpio" "$2"; }
sheet() { sha256sum "$SCRATCH/system.cpio" | cut -d ' ' -f 1; }
cut_power() { [ "$CUT" != "$1" ] || exit 0; }
rm() { [ "$*" != "-rf $KEPT" ] || cut_power restored; command rm "$@"; }
mv() { command mv "$@"; [ "$2" != "$KEPT" ] || cut_power kept; }
apply_overlays
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root as an image makes it."""
    root = tmp_path / "root"
    for folder in ("etc/d", ".ours", "usr"):
        (root / folder).mkdir(parents=True)
    (tmp_path / "work").mkdir()
    (root / "etc/image").write_text("of the image")
    (root / "etc/d/one").write_text("one")
    (root / "etc/link").symlink_to("image")
    return root


def lay(root: Path, *entries: Entry, cut: str = "") -> None:
    """A boot whose overlays have these files. CommandError when it fails."""
    (root.parent / "system.cpio").write_bytes(cpio.pack(entries))
    told = {"STAGE1": str(STAGE1), "SCRATCH": str(root.parent), "CUT": cut}
    run(["dash", "-c", STUBS], environment={**os.environ, **told})


def file(path: str, text: str = "of an overlay") -> Entry:
    return Entry(path, Kind.FILE, text.encode())


def removing(*paths: str) -> Entry:
    return Entry(MANIFEST, Kind.FILE, "".join(f"remove\t{path}\n" for path in paths).encode(), mode=0o600)


def found(root: Path) -> dict[str, str]:
    """What is in the root beside our own folder."""
    files = [path for path in root.rglob("*") if ".ours" not in path.parts and not path.is_dir()]
    return {
        str(path.relative_to(root)): f"-> {path.readlink()}" if path.is_symlink() else path.read_text()
        for path in files
    }


def test_what_an_overlay_drops_goes_and_what_it_replaced_comes_back(root: Path) -> None:
    image = found(root)
    lay(root, removing("etc/d"), file("etc/image"), file("etc/link"), file("etc/new/file"), file("etc/d/two"))
    assert found(root) == {
        "etc/image": "of an overlay",
        "etc/link": "of an overlay",
        "etc/new/file": "of an overlay",
        "etc/d/two": "of an overlay",
    }

    lay(root)

    assert found(root) == image


def test_the_same_overlays_again_change_nothing_and_keep_what_the_image_had(root: Path) -> None:
    image = found(root)
    overlays = (removing("etc/d/one"), file("etc/image"), file("etc/d/two"))
    lay(root, *overlays)
    first = found(root)

    lay(root, *overlays)
    lay(root, *overlays)

    assert found(root) == first
    lay(root)
    assert found(root) == image


def test_what_the_running_system_wrote_stays_but_in_files_of_overlays(root: Path) -> None:
    lay(root, file("etc/image"))
    (root / "etc/image").write_text("by hand")
    (root / "etc/log").write_text("by hand")

    lay(root, file("etc/image", "newer"))

    assert found(root)["etc/image"] == "newer"
    assert found(root)["etc/log"] == "by hand"


@pytest.mark.parametrize("cut", ["kept", "restored"])
def test_a_power_cut_at_any_moment_is_made_good_by_the_next_boot(root: Path, cut: str) -> None:
    image = found(root)
    lay(root, removing("etc/d"), file("etc/image"))

    lay(root, removing("etc/link"), file("etc/d/one"), cut=cut)
    lay(root, removing("etc/link"), file("etc/d/one"))

    assert found(root) == {"etc/image": "of the image", "etc/d/one": "of an overlay"}
    lay(root)
    assert found(root) == image


def test_a_link_that_the_running_system_made_leads_nothing_out_of_the_root(root: Path, tmp_path: Path) -> None:
    lay(root, file("etc/new/file"), file("usr/file"))
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("not ours")
    (root / "etc/new/file").unlink()
    (root / "etc/new").rmdir()
    (root / "etc/new").symlink_to(outside)

    lay(root)

    assert (outside / "file").read_text() == "not ours"
    assert not (root / "usr/file").exists()


def test_overlays_that_lead_out_of_the_root_are_refused_before_anything_is_taken_off(root: Path) -> None:
    lay(root, file("etc/image"))
    (root / "opt").symlink_to("/tmp")

    with pytest.raises(CommandError) as failed:
        lay(root, file("opt/file"))

    assert "would leave the image by its link /opt -> /tmp" in failed.value.output
    assert found(root)["etc/image"] == "of an overlay"


def test_the_script_is_clean_for_any_posix_shell() -> None:
    run(["shellcheck", "-s", "sh", STAGE1 / "lasting.sh"])


@pytest.mark.parametrize("name", ["..", "../..", "etc/../..", "../outside"])
def test_a_list_that_the_running_system_wrote_puts_nothing_beside_the_root(root: Path, name: str) -> None:
    kept = root / ".ours/kept"
    (kept / "files").mkdir(parents=True)
    (kept / "outside").write_text("of the running system")
    (kept / "laid").write_text(f"{name}\n")

    lay(root, file("etc/new"))

    assert sorted(each.name for each in root.parent.iterdir()) == ["root", "system.cpio", "work"]
    assert (root / "etc/new").exists()
