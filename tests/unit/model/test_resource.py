"""The shapes of the resources that shipped overlays know."""

from __future__ import annotations

from typing import Any

import pytest

from provisioner.model.resource import Apptainer, User, typed_resource


@pytest.mark.parametrize(
    ("name", "empty"),
    [
        ("users", {}),
        ("groups", {}),
        ("sudo", ()),
        ("nfs", ()),
        ("fstab", ()),
        ("mig", ()),
        ("apptainer", Apptainer()),
    ],
)
def test_a_resource_that_nobody_wrote_is_empty(name: str, empty: object) -> None:
    assert typed_resource({}, name) == empty


def test_a_user_has_a_shell_and_a_home_unless_told_otherwise() -> None:
    assert typed_resource({"users": {"alice": {"uid": 1000}}}, "users") == {"alice": User(uid=1000)}


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("users", {"alice": {"uid": 0}}, "users.alice.uid"),
        ("users", {"Alice B": {"uid": 1}}, "users.Alice B"),
        ("users", {"alice": {"uid": 1, "comment": "a:b"}}, "users.alice.comment"),
        ("users", {"alice": {"uid": 1, "password": "x"}}, "users.alice.password"),
        ("users", ["alice"], "users"),
        ("sudo", [{"who": "ALL"}], "sudo.0.who"),
        ("sudo", [{"who": "a", "commands": ["x\ny"]}], "sudo.0.commands.0"),
        ("nfs", [{"source": "server", "path": "/x"}], "nfs.0.source"),
        ("nfs", [{"source": "-o:/x", "path": "/x"}], "nfs.0.source"),
        ("nfs", [{"source": "a:/x", "path": "/x/../y"}], "nfs.0.path"),
        ("nfs", [{"source": "a:/x", "path": "/x", "version": "4.2,exec"}], "nfs.0.version"),
        ("ntp", ["a b"], "ntp.0"),
        ("mig", [{"profiles": {"1g.5gb\n": 1}}], "mig.0.profiles"),
        ("apptainer", {"settings": {"mount home": "yes please"}}, "apptainer.settings.mount home"),
    ],
)
def test_a_mistake_is_named_with_its_place(name: str, value: Any, place: str) -> None:
    with pytest.raises(ValueError, match="not ") as caught:
        typed_resource({name: value}, name)

    assert str(caught.value).startswith(f"resources.{place}")


@pytest.mark.parametrize("source", ["10.0.0.1:/home", "nas.example.org:/a/b", "[fd00::1]:/x"])
def test_exports_are_named_by_name_or_address(source: str) -> None:
    (mount,) = typed_resource({"nfs": [{"source": source, "path": "/x"}]}, "nfs")

    assert mount.source == source
