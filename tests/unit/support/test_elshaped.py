from __future__ import annotations

import pytest

from tests.support.elshaped.flavour import CENTOS_7, ROCKY_9, Flavour
from tests.support.elshaped.names import name_of, place_of
from tests.support.elshaped.planted import planted


@pytest.mark.parametrize(
    ("debian", "name"), [("libc6", "glibc"), ("udev", "systemd-udev"), ("curl", "curl"), ("dpkg", None)]
)
def test_packages_get_the_names_of_enterprise_linux(debian: str, name: str | None) -> None:
    assert name_of(debian) == name


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/bin/bash", "/usr/bin/bash"),
        ("/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib64/libc.so.6"),
        ("/etc/ssh/ssh_config", "/etc/ssh/ssh_config"),
        ("/lib", None),
        ("/usr/share/doc/x", None),
        ("/boot/vmlinuz-6.1", None),
    ],
)
def test_paths_go_where_enterprise_linux_has_them(path: str, place: str | None) -> None:
    assert place_of(path) == place


@pytest.mark.parametrize("flavour", [ROCKY_9, CENTOS_7], ids=lambda flavour: flavour.name)
def test_no_file_is_planted_twice_and_none_for_a_package_that_is_not_there(flavour: Flavour) -> None:
    found = list(planted(flavour))

    assert len({each.path for each in found}) == len(found)
    assert not {each.package for each in found} & flavour.lacks


def test_the_two_differ_where_a_switch_must_look() -> None:
    users = [dict(flavour.sysusers) for flavour in (CENTOS_7, ROCKY_9)]

    assert users[0]["munge"] != users[1]["munge"]
    assert (CENTOS_7.nobody, ROCKY_9.nobody) == (99, 65534)
    assert CENTOS_7.version("systemd-udev") == ("219", "78.el7_9.9")
    assert ROCKY_9.version("glibc") == ("2.34", "168.el9_6.14")
