"""A new site."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from provisioner.errors import ConfigError, ConflictError, ProvisionerError
from provisioner.model.catalogue import Catalogue
from provisioner.operations.check import check
from provisioner.operations.init import NewSite, choose_pool, init_site, read_admin_keys, site_text
from tests.support.golden import Golden
from tests.support.site import write_site

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA admin@head"


def test_a_new_site_is_complete_and_without_mistakes(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {})

    file = init_site(paths, NewSite(cluster="demo", network="10.0.0.0/16", server="10.0.0.1", admin_keys=(KEY,)))

    site = check(paths, Catalogue()).snapshot.site
    assert file == paths.site_file
    assert (site.cluster, site.ssh.admin_keys) == ("demo", (KEY,))
    assert site.networks["provision"].server == IPv4Address("10.0.0.1")
    assert paths.group_files.is_dir()
    assert paths.node_files.is_dir()


def test_the_first_file_explains_itself(golden: Golden) -> None:
    golden("init/provisioner.yaml", site_text(NewSite(cluster="demo", network="10.0.0.0/16")))


def test_a_site_that_exists_is_left_alone(tmp_path: Path) -> None:
    paths = write_site(tmp_path, {"provisioner.yaml": "mine\n"})

    with pytest.raises(ConflictError, match="exists already"):
        init_site(paths, NewSite(cluster="demo", network="10.0.0.0/16"))

    assert paths.site_file.read_text() == "mine\n"


@pytest.mark.parametrize(
    ("network", "server", "pool"),
    [
        ("10.0.0.0/16", None, "10.0.255.1-10.0.255.254"),
        ("192.168.1.0/24", None, "192.168.1.191-192.168.1.254"),
        ("192.168.1.0/24", "192.168.1.254", "192.168.1.190-192.168.1.253"),
        ("192.168.1.0/24", "192.168.1.200", "192.168.1.136-192.168.1.199"),
        ("10.0.0.0/28", "10.0.0.1", "10.0.0.11-10.0.0.14"),
        ("10.0.0.0/29", None, None),
    ],
)
def test_the_pool_is_the_top_of_the_network_without_the_server(
    network: str, server: str | None, pool: str | None
) -> None:
    assert choose_pool(IPv4Network(network), IPv4Address(server) if server else None) == pool


@pytest.mark.parametrize("network", ["10.0.0.1/16", "x", "fd00::/64"])
def test_what_is_no_network_is_refused_with_an_example(tmp_path: Path, network: str) -> None:
    with pytest.raises(ProvisionerError, match="is not an IPv4 network") as caught:
        init_site(write_site(tmp_path, {}), NewSite(cluster="demo", network=network))

    assert "10.0.0.0/16" in str(caught.value.hint)


@pytest.mark.parametrize(
    "new",
    [
        NewSite(cluster="a b", network="10.0.0.0/16"),
        NewSite(cluster="c", network="10.0.0.0/16", domain="-x"),
        NewSite(cluster="c", network="10.0.0.0/16", server="10.1.0.1"),
    ],
    ids=["name", "domain", "server"],
)
def test_a_site_that_would_have_a_mistake_is_not_written(tmp_path: Path, new: NewSite) -> None:
    paths = write_site(tmp_path, {})

    with pytest.raises(ConfigError):
        init_site(paths, new)

    assert not paths.site_file.exists()


def test_admin_keys_are_the_public_keys_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# mine\n\n{KEY}\n")

    assert read_admin_keys(file) == (KEY,)


@pytest.mark.parametrize("text", ["", "-----BEGIN OPENSSH PRIVATE KEY-----\n", "\udcff"])
def test_a_private_key_or_rubbish_is_no_admin_key(tmp_path: Path, text: str) -> None:
    file = tmp_path / "id_ed25519"
    file.write_text(text, errors="surrogateescape")

    with pytest.raises(ProvisionerError, match="public keys"):
        read_admin_keys(file)


@pytest.mark.parametrize("network", ["10.0.0.0/31", "0.0.0.0/0", "239.0.0.0/8", "255.255.255.255/32"])
def test_a_network_without_room_for_a_cluster_is_refused(tmp_path: Path, network: str) -> None:
    paths = write_site(tmp_path, {})

    with pytest.raises(ProvisionerError, match=f"the network {network}") as caught:
        init_site(paths, NewSite(cluster="demo", network=network))

    assert "10.0.0.0/16" in str(caught.value.hint)
    assert not paths.site_file.exists()
