"""Hooks, break points and the log of stage 1, by its very functions, run by its shell on scratch folders."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from provisioner.archive import cpio
from provisioner.archive.tree import Entry, Kind
from provisioner.config.paths import shipped_data
from provisioner.errors import CommandError
from provisioner.host.run import run

pytestmark = [pytest.mark.integration, pytest.mark.needs("cpio", "dash")]

STAGE1 = shipped_data() / "images/stage1/90provisioner"
# What needs a kernel line, a console, a network or a root's rights, and nothing else.
STUBS = """
. "$STAGE1/stage1.sh"
WORK=$SCRATCH/work NEWROOT=$SCRATCH/root URL=url BASE=base MAC=mac
say() { echo "$*"; }
fail() { echo "FAILED: $*"; exit 1; }
report() { echo "report $*" >> "$SCRATCH/reports"; }
argument() { [ "$1" != "$ARGUMENT" ] || echo "$VALUE"; }
offer_shell() { echo "a shell"; }
fetch_small() { cp "$SCRATCH/system.cpio" "$2"; }
sheet() {
    case $1 in
        overlay_sha256) sha256sum "$SCRATCH/system.cpio" | cut -d ' ' -f 1 ;;
        early_hooks) echo "$EARLY" ;;
    esac
}
make_root() { echo "the root is made"; }
"""
ORDER = "early_hooks; make_root; apply_overlays; late_hooks"


def play(scratch: Path, script: str, *entries: Entry, **words: str) -> str:
    """What stage 1 says; `words` are the variables of the stubs."""
    for folder in ("work", "root/etc"):
        (scratch / folder).mkdir(parents=True)
    (scratch / "system.cpio").write_bytes(cpio.pack(entries))
    given = {"ARGUMENT": "", "VALUE": "", "EARLY": "", **words}
    environment = {**os.environ, **given, "STAGE1": str(STAGE1), "SCRATCH": str(scratch)}
    return run(["dash", "-c", STUBS + script], environment=environment)


def hook(when: str, name: str, text: str) -> Entry:
    return Entry(f"etc/provisioner/hooks/{when}/{name}", Kind.FILE, text.encode(), 0o644)


def test_late_hooks_run_over_the_whole_root_in_the_order_of_their_names(tmp_path: Path) -> None:
    said = play(
        tmp_path,
        ORDER,
        Entry("etc/from-overlay", Kind.FILE, b"here"),
        hook("late", "20-b", 'cat "$NEWROOT/etc/one" > "$NEWROOT/etc/two"'),
        hook("late", "10-a", 'cat "$NEWROOT/etc/from-overlay" > "$NEWROOT/etc/one"'),
    )

    assert said.splitlines() == [
        "the root is made",
        "overlay: applied",
        "hook: late/10-a",
        "hook: late/20-b",
    ]
    assert (tmp_path / "root/etc/two").read_text() == "here"


def test_early_hooks_run_before_the_root_is_made_and_only_where_the_sheet_says_so(tmp_path: Path) -> None:
    early = hook("early", "10-a", 'echo "$NEWROOT" > /dev/null')

    assert play(tmp_path / "with", ORDER, early, EARLY="yes").splitlines()[:2] == [
        "hook: early/10-a",
        "the root is made",
    ]
    assert "hook" not in play(tmp_path / "without", ORDER, early)


def test_no_hook_stays_anywhere(tmp_path: Path) -> None:
    play(tmp_path, ORDER, hook("early", "a", "true"), hook("late", "b", "true # a secret"), EARLY="yes")

    assert not (tmp_path / "root/etc/provisioner/hooks").exists()
    assert not (tmp_path / "work/hooks").exists()


def test_while_they_run_only_root_can_read_them(tmp_path: Path) -> None:
    said = play(tmp_path, 'fetch_overlay; take_hooks; stat -c %a "$WORK/hooks"', hook("late", "b", ""))

    assert said == "700\n"


def test_a_hook_that_fails_fails_the_boot_with_its_name_and_its_last_line(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as caught:
        play(
            tmp_path, ORDER, hook("late", "10-a", "echo first; echo no disk >&2; exit 3"), hook("late", "20-b", "")
        )

    assert caught.value.output.splitlines()[-1] == "FAILED: the late hook 10-a failed with status 3: no disk"


def test_what_a_hook_says_cannot_move_the_console(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as caught:
        play(tmp_path, ORDER, hook("late", "10-a", r"printf '\033[2Jx\rno'; exit 1"))

    assert "status 1: [2Jxno" in caught.value.output


@pytest.mark.parametrize("point", ["network", "sheet", "root", "overlay", "handover"])
def test_a_break_stops_at_the_points_that_are_named_and_at_no_other(tmp_path: Path, point: str) -> None:
    script = "for each in network sheet root overlay handover; do break_at $each; done"

    assert play(tmp_path / "one", script, ARGUMENT="break", VALUE=point) == f"break: {point}\na shell\n"
    two = play(tmp_path / "two", script, ARGUMENT="break", VALUE=f"nothing,{point},network")
    assert f"break: {point}\n" in two
    assert play(tmp_path / "none", script) == ""


def test_a_rescue_is_reported_before_the_shell_and_there_is_none_without_an_order(tmp_path: Path) -> None:
    script = "start_ssh() { return 1; }; rescue; rescue_failed"

    assert play(tmp_path / "yes", script, ARGUMENT="rescue", VALUE="1").splitlines() == [
        "rescue: a shell is here; by ssh: no",
        "a shell",
        "rescue: a shell is here; by ssh: no",
        "a shell",
    ]
    assert (tmp_path / "yes/reports").read_text() == "report rescue.entered ssh=no\n"
    assert play(tmp_path / "no", script) == ""


def test_the_log_goes_packed_and_without_the_token(tmp_path: Path) -> None:
    script = """
    dmesg() { echo "Command line: prov.url=x prov.token=abc.def prov.root=overlay"; }
    ask() { cp "$WORK/log.gz" "$SCRATCH/sent.gz"; echo "$*"; }
    send_log
    """
    said = play(tmp_path, script)

    assert said.endswith("base/log\n")
    sent = gzip.decompress((tmp_path / "sent.gz").read_bytes())
    assert sent == b"Command line: prov.url=x prov.token=(removed) prov.root=overlay\n"
    assert not (tmp_path / "work/log.gz").exists()
