"""How fast a link is, by what the kernel shows of devices."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.host.net import link_speed


def device(folder: Path, name: str, speed: str, *, real: bool = True) -> Path:
    made = folder / name
    made.mkdir()
    (made / "speed").write_text(f"{speed}\n")
    if real:
        (made / "device").mkdir()
    return made


@pytest.mark.parametrize(("speed", "bits"), [("10000", 10**10), ("1000", 10**9), ("10", 10**7)])
def test_hardware_is_as_fast_as_it_says(tmp_path: Path, speed: str, bits: int) -> None:
    device(tmp_path, "eth0", speed)

    assert link_speed("eth0", tmp_path) == bits


@pytest.mark.parametrize("speed", ["-1", "0", "4294967295", "fast", ""])
def test_a_number_without_sense_is_not_known(tmp_path: Path, speed: str) -> None:
    device(tmp_path, "eth0", speed)

    assert link_speed("eth0", tmp_path) is None


def test_what_is_only_software_tells_nothing(tmp_path: Path) -> None:
    device(tmp_path, "veth0", "10000", real=False)

    assert link_speed("veth0", tmp_path) is None
    assert link_speed("missing", tmp_path) is None


def test_a_bond_is_as_fast_as_it_says(tmp_path: Path) -> None:
    (device(tmp_path, "bond0", "20000", real=False) / "bonding").mkdir()

    assert link_speed("bond0", tmp_path) == 2 * 10**10


def test_a_bridge_or_vlan_is_as_fast_as_the_fastest_below_it(tmp_path: Path) -> None:
    for name, speed in (("eth0", "1000"), ("eth1", "25000"), ("tap0", "10")):
        device(tmp_path, name, speed, real=name != "tap0")
    bridge, vlan = device(tmp_path, "br0", "10", real=False), device(tmp_path, "br0.5", "10", real=False)
    for name in ("eth0", "eth1", "tap0"):
        (bridge / f"lower_{name}").symlink_to(tmp_path / name)
    (vlan / "lower_br0").symlink_to(bridge)

    assert link_speed("br0.5", tmp_path) == 25 * 10**9
