"""Sizes and partitions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from provisioner.model.disk import Disk, FileSystem, Partition, Size


@pytest.mark.parametrize(
    ("text", "canonical", "mib"), [("512", "512MiB", 512), ("20 GiB", "20GiB", 20480), ("2T", "2TiB", 2 << 20)]
)
def test_a_size_has_one_form(text: str, canonical: str, mib: int) -> None:
    assert Size(text) == canonical
    assert Size(text).mib == mib


@pytest.mark.parametrize("text", ["", "-1", "1.5GiB", "10GB", "10%", "9" * 13])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        Size(text)


@given(st.integers(0, 10**12 - 1), st.sampled_from(["MiB", "GiB", "TiB"]))
def test_the_canonical_form_reads_as_itself(number: int, unit: str) -> None:
    assert Size(Size(f"{number}{unit}")) == f"{number}{unit}"


def test_a_partition_takes_what_sfdisk_takes() -> None:
    part = Partition.model_validate(
        {"number": "1", "size": "4G", "type": "linux", "create": "true", "resize": "no"}
    )

    assert (part.number, part.size, part.create, part.resize) == (1, "4GiB", True, False)


@pytest.mark.parametrize("path", ["mnt", "/mnt/a b", "/mnt/../etc\n", "/mnt//x"])
def test_a_mount_point_is_an_absolute_path_on_one_line(path: str) -> None:
    with pytest.raises(ValidationError):
        FileSystem.model_validate({"path": path})


def test_partitions_go_by_their_label() -> None:
    assert list(Disk.model_validate({"partitions": {"swap": None, "scratch": {}}}).partitions) == [
        "swap",
        "scratch",
    ]
