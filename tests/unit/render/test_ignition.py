"""Disks and file systems as an Ignition configuration."""

from __future__ import annotations

import pytest

from provisioner.model.disk import Disk, FileSystem, Partition, Size
from provisioner.render.escape import UnsafeValueError
from provisioner.render.ignition import ignition


def test_nothing_wanted_is_no_configuration() -> None:
    assert ignition({}, {"/dev/sda1": FileSystem(path="/x")}, {}) == {}


def test_start_and_size_are_two_numbers_in_mib() -> None:
    disks = {"/dev/sda": Disk(partitions={"x": Partition(start=Size("1MiB"), size=Size("2GiB"))})}

    (disk,) = ignition(disks, {}, {})["storage"]["disks"]

    assert disk["partitions"] == [{"label": "x", "number": 0, "startMiB": 1, "sizeMiB": 2048}]


def test_a_partition_that_is_not_to_be_created_is_left_to_whoever_made_it() -> None:
    disks = {"/dev/sda": Disk(partitions={"x": Partition(create=False)})}

    assert ignition(disks, {}, {})["storage"]["disks"] == [{"device": "/dev/sda", "partitions": []}]


def test_a_partition_type_without_a_known_guid_is_refused() -> None:
    disks = {"/dev/sda": Disk(partitions={"x": Partition(type="plan9")})}

    with pytest.raises(UnsafeValueError, match="plan9"):
        ignition(disks, {}, {})


def test_sections_of_the_site_are_added_and_cannot_replace_disks() -> None:
    assert ignition({}, {}, {"ignition": {"passwd": {}}})["passwd"] == {}
    with pytest.raises(UnsafeValueError, match=r"resources\.ignition\.storage"):
        ignition({}, {}, {"ignition": {"storage": {}}})
