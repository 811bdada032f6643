"""The system overlays laid over a root by the very function of stage 1, run by its shell on scratch folders."""

from __future__ import annotations

import hashlib
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
# What needs a kernel line, a console or a network, and nothing else.
STUBS = """
. "$STAGE1/stage1.sh"
WORK=$SCRATCH/work NEWROOT=$SCRATCH/root
say() { echo "$*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
report() { :; }
fetch_small() { cp "$SCRATCH/system.cpio" "$2"; }
sheet() { sha256sum "$SCRATCH/system.cpio" | cut -d ' ' -f 1; }
apply_overlays
"""


def apply(scratch: Path, *entries: Entry) -> str:
    """What stage 1 says while it unpacks these entries over `scratch/root`. CommandError when it fails."""
    (scratch / "work").mkdir()
    (scratch / "system.cpio").write_bytes(cpio.pack(entries))
    environment = {**os.environ, "STAGE1": str(STAGE1), "SCRATCH": str(scratch)}
    return run(["dash", "-c", STUBS], environment=environment)


def root_with(scratch: Path, **links: str) -> Path:
    """An image with these links beside `usr/lib` and `srv/opt`; `a__b` stands for `a/b`."""
    root = scratch / "root"
    for folder in ("usr/lib", "srv/opt", "etc"):
        (root / folder).mkdir(parents=True)
    for name, target in links.items():
        (root / name.replace("__", "/")).symlink_to(target)
    return root


def test_files_arrive_through_relative_links_of_the_image(tmp_path: Path) -> None:
    root = root_with(tmp_path, lib="usr/lib", usr__again="../lib/../lib")

    said = apply(tmp_path, Entry("lib/x/one", Kind.FILE, b"1"), Entry("usr/again/two", Kind.FILE, b"2"))

    assert said == "overlay: applied\n"
    assert (root / "usr/lib/x/one").read_bytes() == b"1"
    assert (root / "usr/lib/two").read_bytes() == b"2"


def test_a_link_of_the_image_is_replaced_by_the_file_of_its_name(tmp_path: Path) -> None:
    root = root_with(tmp_path, etc__resolv="/run/systemd/resolve")

    apply(tmp_path, Entry("etc/resolv", Kind.FILE, b"x"), Entry(r"etc/a\x2db c", Kind.FILE, b"y"))

    assert not (root / "etc/resolv").is_symlink()
    assert (root / r"etc/a\x2db c").read_bytes() == b"y"


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("opt", "{outside}"),
        ("opt", "/srv/opt"),
        ("opt", "../outside"),
        ("opt", "etc/../../outside"),
        ("opt", "usr/over"),
        ("opt", "opt"),
    ],
)
def test_nothing_is_unpacked_when_a_link_of_the_image_leads_out_of_it(
    tmp_path: Path, link: str, target: str
) -> None:
    outside = tmp_path / "outside"
    (outside / "inner").mkdir(parents=True)
    root = root_with(tmp_path, **{link: target.format(outside=outside)}, usr__over="../../outside")

    with pytest.raises(CommandError) as failed:
        apply(tmp_path, Entry("etc/first", Kind.FILE), Entry("opt/inner/file", Kind.FILE, b"x"))

    assert "FAILED: the overlay file opt/inner/file would leave the image by its link /" in failed.value.output
    assert not (root / "etc/first").exists()
    assert list((outside / "inner").iterdir()) == []


def test_the_link_that_leads_out_is_named(tmp_path: Path) -> None:
    root_with(tmp_path, opt="usr/over", usr__over="/somewhere -> else")

    with pytest.raises(CommandError) as failed:
        apply(tmp_path, Entry("opt/file", Kind.FILE))

    assert failed.value.output.strip().endswith("by its link /usr/over -> /somewhere -> else")


def test_an_archive_that_is_none_is_refused(tmp_path: Path) -> None:
    root_with(tmp_path)
    (tmp_path / "work").mkdir()
    (tmp_path / "system.cpio").write_bytes(b"no archive")

    with pytest.raises(CommandError) as failed:
        run(["dash", "-c", STUBS], environment={**os.environ, "STAGE1": str(STAGE1), "SCRATCH": str(tmp_path)})

    assert "FAILED: the system overlay cannot be read" in failed.value.output


def test_stage_1_holds_every_program_that_it_runs_here() -> None:
    listed = (STAGE1 / "module-setup.sh").read_text().partition("demand sh ")[2].split("\n")[0].split()

    assert {"cpio", "cut", "readlink", "sha256sum"} <= set(listed)


def test_the_script_is_clean_for_any_posix_shell() -> None:
    run(["shellcheck", "-s", "sh", STAGE1 / "stage1.sh"])


def declaring(*lines: str) -> Entry:
    """The manifest of these lines; a `|` stands for a tab."""
    return Entry(
        MANIFEST, Kind.FILE, "".join(f"{line}\n" for line in lines).replace("|", "\t").encode(), mode=0o600
    )


def test_declared_files_go_before_what_replaces_them_comes_and_the_list_does_not_stay(tmp_path: Path) -> None:
    root = root_with(tmp_path)
    for name in ("etc/d/old", "etc/gone *", "etc/stays"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()

    apply(tmp_path, declaring("remove|etc/d", "remove|etc/gone *"), Entry("etc/d/new", Kind.FILE, b"x"))

    assert sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()) == [
        "etc/d/new",
        "etc/stays",
    ]
    assert not (root / ".provisioner").exists()


def test_a_removal_through_a_link_that_leads_out_of_the_image_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    root_with(tmp_path, opt=str(outside))

    with pytest.raises(CommandError) as failed:
        apply(tmp_path, declaring("remove|opt/file"))

    assert (
        "FAILED: the overlay removes opt/file, which would leave the image by its link /opt" in failed.value.output
    )
    assert (outside / "file").exists()


@pytest.mark.root
@pytest.mark.needs("getcap", "setcap")
def test_labels_and_capabilities_are_set(tmp_path: Path) -> None:
    root = root_with(tmp_path)
    lines = declaring("capabilities|cap_net_raw=ep|etc/ping", "selinux|system_u:object_r:bin_t:s0|etc/ping")

    apply(tmp_path, lines, Entry("etc/ping", Kind.FILE, b"x", mode=0o755))

    assert "cap_net_raw=ep" in run(["getcap", root / "etc/ping"])
    assert os.getxattr(root / "etc/ping", "security.selinux").rstrip(b"\0") == b"system_u:object_r:bin_t:s0"


# `echo` is one of its own, so that nothing restarts the machine that runs this.
FAILING = """
. "$STAGE1/stage1.sh"
WORK=$SCRATCH
say() { :; }
report() { :; }
send_log() { :; }
rescue_failed() { :; }
sync() { :; }
echo() { :; }
pauses=0
sleep() {
    pauses=$((pauses + 1))
    [ $pauses -lt 5 ] || exit 7
}
fail "the boot sheet is not signed by this site"
exit 0
"""


def test_a_kernel_that_does_not_restart_the_machine_does_not_go_on_with_what_failed(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as ended:
        run(["dash", "-c", FAILING], environment={**os.environ, "STAGE1": str(STAGE1), "SCRATCH": str(tmp_path)})

    assert ended.value.status == 7


# The head node: each answer is the next file of its name, the last one for ever.
CHANGING = """
. "$STAGE1/stage1.sh"
WORK=$SCRATCH/work NEWROOT=$SCRATCH/root
say() { echo "$*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
back_off() { :; }
fetch_small() {
    name=${1%%[?]*}
    name=${name##*/}
    cp "$SCRATCH/$name.now" "$2"
    [ ! -e "$SCRATCH/$name.next" ] || mv "$SCRATCH/$name.next" "$SCRATCH/$name.now"
}
fetch_small sheet "$WORK/sheet"
fetch_overlay
sheet overlay_sha256
"""


def fetched(scratch: Path, *sheets: bytes, archive: bytes) -> list[str]:
    """What stage 1 says while it fetches an archive; each sheet tells the digest of some bytes."""
    (scratch / "work").mkdir()
    (scratch / "system.now").write_bytes(archive)
    for place, content in zip(("now", "next"), sheets, strict=False):
        (scratch / f"sheet.{place}").write_text(f"overlay_sha256={hashlib.sha256(content).hexdigest()}\n")
    environment = {**os.environ, "STAGE1": str(STAGE1), "SCRATCH": str(scratch)}
    return run(["dash", "-c", CHANGING], environment=environment).splitlines()


def test_an_archive_that_became_another_one_after_the_sheet_is_taken_with_a_new_sheet(tmp_path: Path) -> None:
    said = fetched(tmp_path, b"before", b"after", archive=b"after")

    digest = hashlib.sha256(b"after").hexdigest()
    unchecked = "sheet: not checked, this stage 1 came without keys of the site"
    assert said == ["overlay: not the one of the boot sheet, trying again", unchecked, digest]
    assert (tmp_path / "work/system.cpio").read_bytes() == b"after"


def test_an_archive_that_never_is_what_the_sheet_says_is_damaged_in_the_end(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as failed:
        fetched(tmp_path, b"right", archive=b"wrong")

    assert f"promised {hashlib.sha256(b'right').hexdigest()}" in failed.value.output
