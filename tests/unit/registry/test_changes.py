"""What a command wants to write."""

from __future__ import annotations

from provisioner.registry.changes import Changes, nested


def test_only_what_was_given_is_written() -> None:
    assert Changes().settings() == {}
    assert Changes(image="a", tags={"rack": ""}).settings() == {("image",): "a", ("tags", "rack"): ""}


def test_settings_become_one_entry() -> None:
    changes = Changes(groups=("g",), kernel_args=("q",), system_overlays=("s",), interface="ib0", mac="m", ip="i")

    assert nested(changes.settings()) == {
        "groups": ("g",),
        "overlays": {"system": ("s",)},
        "kernel": {"args": ("q",)},
        "interfaces": {"ib0": {"mac": "m", "ip": "i"}},
    }
