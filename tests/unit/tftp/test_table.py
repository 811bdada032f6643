from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.tftp.table import Table, read_loaders

TABLE = Table({"snponly.efi": b"loader"}, {"autoexec.ipxe": lambda client: f"# {client}".encode()})


@pytest.mark.parametrize("name", ["snponly.efi", "/snponly.efi"])
def test_a_name_in_the_table_is_found_with_and_without_a_slash(name: str) -> None:
    assert TABLE.find(name, "10.0.0.9") == b"loader"


def test_a_rendered_name_is_made_for_the_client() -> None:
    assert TABLE.find("autoexec.ipxe", "10.0.0.9") == b"# 10.0.0.9"


@pytest.mark.parametrize("name", ["", "/", "//snponly.efi", "../snponly.efi", "/etc/passwd", "SNPONLY.EFI", "x\0"])
def test_nothing_else_exists(name: str) -> None:
    assert TABLE.find(name, "10.0.0.9") is None


def test_loaders_are_read_under_the_names_of_either_distribution(tmp_path: Path) -> None:
    debian, enterprise = tmp_path / "lib", tmp_path / "share"
    for path in (debian / "undionly.kpxe", enterprise / "undionly.kpxe", enterprise / "ipxe-snponly-x86_64.efi"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(str(path.parent.name).encode())
    (enterprise / "arm64-efi").mkdir()
    (enterprise / "arm64-efi" / "snponly.efi").write_bytes(b"arm")

    assert read_loaders([debian, enterprise]) == {
        "undionly.kpxe": b"lib",
        "snponly.efi": b"share",
        "snponly-arm64.efi": b"arm",
    }


def test_a_machine_without_ipxe_has_an_empty_table(tmp_path: Path) -> None:
    assert read_loaders([tmp_path / "nothing"]) == {}
