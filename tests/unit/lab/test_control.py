from __future__ import annotations

from ipaddress import IPv4Interface
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, NotFoundError
from provisioner.lab import control


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.below(tmp_path)


def test_the_network_comes_from_the_site(paths: Paths) -> None:
    paths.site_file.write_text("cluster: demo\nnetworks:\n  provision: {cidr: 10.9.0.0/16}\n")

    assert control.network_of_site(paths).head == IPv4Interface("10.9.0.1/16")


def test_a_site_that_does_not_exist_is_named_with_the_command_that_makes_it(paths: Paths) -> None:
    with pytest.raises(NotFoundError, match=r"provisioner\.yaml does not exist") as failed:
        control.network_of_site(paths)

    assert failed.value.hint == "prov init --cluster NAME --network CIDR"


def test_mistakes_in_the_site_are_shown_with_their_place(paths: Paths) -> None:
    paths.site_file.write_text("cluster: demo\nnetworks:\n  provision: {cidr: nowhere}\n")

    with pytest.raises(ConfigError, match=r"provisioner\.yaml:3:"):
        control.network_of_site(paths)


def test_a_node_that_is_not_served_cannot_boot(paths: Paths) -> None:
    with pytest.raises(NotFoundError, match="the site has no node n001"):
        control.boot_mac(paths, "n001")


def test_a_node_that_was_not_booted_has_no_console(paths: Paths) -> None:
    with pytest.raises(NotFoundError, match="n001 was not booted in this lab"):
        next(control.console(paths, "n001"))
