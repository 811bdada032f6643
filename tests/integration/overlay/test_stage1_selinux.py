"""Labels of SELinux as stage 1 has them given, by its very functions; the image's programs are stood in for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provisioner.config.paths import shipped_data
from provisioner.errors import CommandError
from provisioner.host.run import run

pytestmark = [pytest.mark.integration, pytest.mark.needs("dash", "find")]

STAGE1 = shipped_data() / "images/stage1/90provisioner"
# What needs a kernel with SELinux: `chroot` tells what it was asked for, and restorecon what names it got.
STUBS = """
. "$STAGE1/stage1.sh"
WORK=$SCRATCH/work NEWROOT=$SCRATCH/root SELINUXFS=$SCRATCH/selinuxfs
say() { echo "$*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
getarg() { [ "$1" != enforcing= ] || echo "$ENFORCING"; }
mount() { :; }
umount() { :; }
label_declared() { echo declared; }
chroot() {
    shift
    case $1 in
        sed) sed "$2" "$3" "$NEWROOT/$4" ;;
        load_policy) echo "$1 with enforce $(cat "$SELINUXFS/enforce")" >> "$SCRATCH/asked"; $LOADED ;;
        restorecon)
            { echo "$*"; case " $* " in *' -f '*) cat ;; esac; } >> "$SCRATCH/asked"
            echo it broke
            $RESTORED
            ;;
    esac
}
"""


def label(scratch: Path, before: str = "", *, config: str = "SELINUX=enforcing", **environment: str) -> str:
    """What stage 1 says when it labels a root with this configuration."""
    for folder in ("work", "root/etc/selinux", "selinuxfs"):
        (scratch / folder).mkdir(parents=True, exist_ok=True)
    (scratch / "root/etc/selinux/config").write_text(f"{config}\nSELINUXTYPE=toy\n")
    (scratch / "work/names").write_text("etc\netc/motd\nusr/local/bin/tool\n")
    usual = {"STAGE1": str(STAGE1), "SCRATCH": str(scratch), "ENFORCING": "", "LOADED": "true", "RESTORED": "true"}
    words = f"{STUBS}\n{before}\nlabel_root"
    return run(["dash", "-c", words], environment={**os.environ, **usual, **environment})


def asked(scratch: Path) -> list[str]:
    return (scratch / "asked").read_text().splitlines()


def test_what_overlays_brought_gets_labels_and_the_folders_above_too(tmp_path: Path) -> None:
    said = label(tmp_path)

    assert said == "declared\nSELinux: labelled (enforcing)\n"
    first, second, *names = asked(tmp_path)
    assert first == "load_policy with enforce 0"
    assert second == "restorecon -i -F -f -"
    assert names == ["/etc", "/etc/motd", "/usr", "/usr/local", "/usr/local/bin", "/usr/local/bin/tool"]


def test_what_came_back_on_a_root_that_lasts_gets_labels_too(tmp_path: Path) -> None:
    label(tmp_path, 'echo etc/issue > "$WORK/taken-off"')

    assert "/etc/issue" in asked(tmp_path)


def test_under_an_overlay_file_system_all_that_was_written_gets_labels_its_top_included(tmp_path: Path) -> None:
    upper = tmp_path / "work/upper/files"
    (upper / "etc").mkdir(parents=True)
    (upper / "etc/hook wrote").write_text("x")

    label(tmp_path)

    assert sorted(asked(tmp_path)[2:]) == ["/", "/etc", "/etc/hook wrote"]


def test_an_overlay_file_system_is_mounted_once_more_when_all_is_labelled(tmp_path: Path) -> None:
    (tmp_path / "work/upper/files").mkdir(parents=True)
    mounts = 'umount() { echo "umount $*" >> "$SCRATCH/asked"; }; mount() { echo "mount $*" >> "$SCRATCH/asked"; }'

    label(tmp_path, f"LAYERS=lowerdir=a,upperdir=b; {mounts}")

    root = tmp_path / "root"
    assert asked(tmp_path)[-2:] == [
        f"umount {root}",
        f"mount -t overlay -o lowerdir=a,upperdir=b provisioner {root}",
    ]


def test_a_root_that_is_new_is_labelled_as_a_whole(tmp_path: Path) -> None:
    label(tmp_path, "RELABEL=everything")

    assert asked(tmp_path)[1:] == ["restorecon -R -F -e /proc -e /sys /"]


@pytest.mark.parametrize("config", ["SELINUX=disabled", "", "#SELINUX=enforcing"])
def test_an_image_that_leaves_it_off_is_left_alone(tmp_path: Path, config: str) -> None:
    assert label(tmp_path, config=config) == ""
    assert not (tmp_path / "asked").exists()


def test_a_kernel_that_has_it_off_is_left_alone(tmp_path: Path) -> None:
    assert label(tmp_path, "SELINUXFS=$SCRATCH/none") == ""


def test_the_kernel_line_decides_what_is_enforced(tmp_path: Path) -> None:
    assert label(tmp_path, ENFORCING="0").endswith("(permissive)\n")
    assert label(tmp_path, config="SELINUX=permissive", ENFORCING="1").endswith("(enforcing)\n")


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ({"LOADED": "false"}, "the image's policy cannot be loaded"),
        ({"RESTORED": "false"}, "files cannot be labelled: it broke"),
    ],
)
def test_trouble_ends_the_boot_only_of_an_image_that_enforces(
    tmp_path: Path, broken: dict[str, str], why: str
) -> None:
    assert f"SELinux: {why}" in label(tmp_path, config="SELINUX=permissive", **broken)
    with pytest.raises(CommandError, match=f"FAILED: SELinux is enforcing, and {why}"):
        label(tmp_path, **broken)
