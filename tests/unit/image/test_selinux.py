from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.image.selinux import labelled, policy
from provisioner.model.inventory import SelinuxPolicy


def configured(tmp_path: Path, text: str) -> Path:
    (tmp_path / "tree/etc/selinux").mkdir(parents=True)
    (tmp_path / "tree/etc/selinux/config").write_text(text)
    return tmp_path / "tree"


@pytest.mark.parametrize(
    ("text", "type_", "mode"),
    [
        ("# SELINUX=disabled\nSELINUX=enforcing\nSELINUXTYPE=targeted\n", "targeted", "enforcing"),
        ("SELINUXTYPE=default\nSELINUX=Permissive # for now\n", "default", "permissive"),
        ("SELINUX=disabled\nSELINUX=enforcing\n", "targeted", "enforcing"),
    ],
)
def test_an_image_says_which_policy_it_wants_and_how(tmp_path: Path, text: str, type_: str, mode: str) -> None:
    found = policy(configured(tmp_path, text))

    assert found == SelinuxPolicy.model_validate({"type": type_, "mode": mode})


@pytest.mark.parametrize("text", ["SELINUX=disabled\nSELINUXTYPE=targeted\n", "", "XSELINUX=enforcing\n"])
def test_an_image_that_leaves_selinux_off_is_left_alone(tmp_path: Path, text: str) -> None:
    tree = configured(tmp_path, text)

    assert policy(tree) is None
    with labelled(tree, tmp_path) as labels:
        assert (labels.policy, labels.warnings) == ("", ())


def test_a_tree_without_a_configuration_has_selinux_off(tmp_path: Path) -> None:
    assert policy(tmp_path) is None


def test_a_policy_that_is_not_there_and_a_missing_program_are_said(tmp_path: Path) -> None:
    tree = configured(tmp_path, "SELINUX=enforcing\nSELINUXTYPE=default\n")

    with labelled(tree, tmp_path) as labels:
        (said,) = labels.warnings
    assert "/etc/selinux/default/contexts/files/file_contexts is missing" in said

    contexts = tree / "etc/selinux/default/contexts/files/file_contexts"
    contexts.parent.mkdir(parents=True)
    contexts.write_text("")
    with labelled(tree, tmp_path) as labels:
        (said,) = labels.warnings
    assert labels.policy == ""
    assert "/usr/sbin/matchpathcon is missing; install policycoreutils and selinux-utils" in said
