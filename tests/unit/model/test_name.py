"""Texts of one kind: what each takes and refuses."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from provisioner.model import name


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (name.RemovableName, "~compute"),
        (name.RemovableInterface, "~eth0"),
        (name.KernelVersion, "5.14.0-503.el9.x86_64"),
        (name.FilePath, "/"),
        (name.FilePath, "/usr/lib/systemd/systemd"),
        (name.DevicePath, "/dev/disk/by-id/nvme-eui.0025385"),
        (name.Line, "fan is loud, ünd blue"),
    ],
)
def test_what_is_meant_is_taken(kind: Any, text: str) -> None:
    assert TypeAdapter(kind).validate_python(text) == text


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (name.Name, "~compute"),
        (name.RemovableName, "~"),
        (name.RemovableName, "~~a"),
        (name.KernelVersion, "latest"),
        (name.FilePath, "sbin/init"),
        (name.FilePath, "/a b"),
        (name.FilePath, "//"),
        (name.DevicePath, "/dev/../etc"),
        (name.DevicePath, "sda"),
        (name.Word, "a b"),
        (name.Line, "a\nb"),
        (name.Line, ""),
    ],
)
def test_what_would_mean_something_else_is_refused(kind: Any, text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(text)
