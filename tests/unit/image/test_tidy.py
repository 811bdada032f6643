from __future__ import annotations

import os
from pathlib import Path

from provisioner.image.tidy import tidy


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")


def snapshot(folder: Path) -> list[tuple[str, str]]:
    return sorted((str(path), path.read_text()) for path in folder.rglob("*") if path.is_file())


def test_what_belongs_to_one_machine_goes_and_is_listed(tmp_path: Path) -> None:
    write(tmp_path, "etc/hostname", "etc/resolv.conf", "etc/ssh/ssh_host_ed25519_key", "etc/ssh/sshd_config")
    write(tmp_path, "var/lib/systemd/random-seed", "etc/NetworkManager/system-connections/ens3.nmconnection")

    assert tidy(tmp_path) == (
        "/etc/NetworkManager/system-connections/ens3.nmconnection",
        "/etc/hostname",
        "/etc/resolv.conf",
        "/etc/ssh/ssh_host_ed25519_key",
        "/var/lib/systemd/random-seed",
    )
    assert (tmp_path / "etc/ssh/sshd_config").exists()


def test_the_loopback_profile_stays(tmp_path: Path) -> None:
    write(tmp_path, "etc/sysconfig/network-scripts/ifcfg-lo", "etc/sysconfig/network-scripts/ifcfg-ens3")

    assert tidy(tmp_path) == ("/etc/sysconfig/network-scripts/ifcfg-ens3",)


def test_every_node_makes_its_own_identity(tmp_path: Path) -> None:
    write(tmp_path, "etc/machine-id")

    assert tidy(tmp_path) == ("/etc/machine-id",)
    assert (tmp_path / "etc/machine-id").read_text() == "uninitialized\n"
    assert tidy(tmp_path) == ()


def test_caches_go_and_their_folders_stay(tmp_path: Path) -> None:
    write(tmp_path, "var/cache/dnf/rocky/repo.solv", "var/lib/apt/lists/deb.example_dists")

    assert tidy(tmp_path) == ("/var/cache/dnf/rocky", "/var/lib/apt/lists/deb.example_dists")
    assert (tmp_path / "var/cache/dnf").is_dir()


def test_a_link_to_this_machine_does_not_lead_there(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    write(outside, "hostname", "machine-id", "ssh/ssh_host_rsa_key", "dnf/cache")
    root.mkdir()
    (root / "etc").symlink_to(outside)
    (root / "var").mkdir()
    (root / "var/cache").symlink_to("../" * 20 + str(outside).lstrip("/"))
    before = snapshot(outside)

    assert tidy(root) == ()
    assert snapshot(outside) == before


def test_a_link_in_place_of_a_leftover_goes_without_its_target(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    write(outside, "file")
    (root / "etc").mkdir(parents=True)
    (root / "etc/hostname").symlink_to(outside / "file")
    (root / "etc/machine-id").symlink_to(outside / "file")
    (root / "var/cache/dnf").mkdir(parents=True)
    (root / "var/cache/dnf/x").symlink_to(outside)

    assert tidy(root) == ("/etc/hostname", "/var/cache/dnf/x")
    assert (outside / "file").read_text() == "x"
    assert not (root / "etc/machine-id").is_symlink()


def test_a_pipe_in_place_of_the_identity_does_not_block(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc/machine-id")

    tidy(tmp_path)

    assert (tmp_path / "etc/machine-id").read_text() == "uninitialized\n"
