from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.errors import ProvisionerError
from provisioner.image import architecture


def program(tree: Path, path: str, machine: int, *, order: str = "little") -> None:
    place = tree / path
    place.parent.mkdir(parents=True, exist_ok=True)
    kind = 1 if order == "little" else 2
    head = b"\x7fELF\x02" + bytes([kind]) + bytes(10)
    place.write_bytes(head + bytes(2) + machine.to_bytes(2, "big" if kind == 2 else "little") + bytes(40))


@pytest.mark.parametrize(("machine", "platform"), [(62, "linux/amd64"), (183, "linux/arm64"), (9999, "")])
def test_the_platform_of_a_tree_is_that_of_its_programs(tmp_path: Path, machine: int, platform: str) -> None:
    program(tmp_path, "usr/bin/dash", machine)
    (tmp_path / "bin").symlink_to("usr/bin")
    (tmp_path / "usr/bin/sh").symlink_to("/usr/bin/dash")

    assert architecture.of_tree(tmp_path) == platform


def test_the_order_of_bytes_is_that_of_the_program(tmp_path: Path) -> None:
    program(tmp_path, "bin/sh", 22, order="big")

    assert architecture.of_tree(tmp_path) == "linux/s390x"


def test_a_tree_without_programs_has_no_platform(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sh").write_text("#!/bin/true\n")
    (tmp_path / "bin/ls").symlink_to("ls")

    assert architecture.of_tree(tmp_path) == ""


def test_a_platform_that_nobody_knows_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ProvisionerError, match="is no platform") as caught:
        architecture.check("linux/x86_64")
    assert "linux/amd64" in (caught.value.hint or "")


def test_kernels_have_names_of_their_own_for_platforms() -> None:
    assert (architecture.machine("linux/arm64"), architecture.machine("")) == ("aarch64", "x86_64")
