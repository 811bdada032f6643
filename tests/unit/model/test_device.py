"""Network devices and BMCs as people write them."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from provisioner.model.address import InfinibandAddress, MacAddress
from provisioner.model.device import Bmc, Bond, Interface, Route, Vlan

IB = "80:00:02:08:fe:80:00:00:00:00:00:00:f4:52:14:03:00:7b:cb:a1"


def test_six_bytes_are_a_mac_and_twenty_are_an_infiniband_address() -> None:
    assert isinstance(Interface.model_validate({"mac": "52-54-00-00-00-01"}).mac, MacAddress)
    assert isinstance(Interface.model_validate({"mac": IB.upper()}).mac, InfinibandAddress)


@pytest.mark.parametrize("mac", ["52:54:00", "01:00:5e:00:00:01", IB[:-3], IB + ":00", "00:00:00:00:00:00"])
def test_other_lengths_and_groups_of_machines_are_no_hardware_address(mac: str) -> None:
    with pytest.raises(ValidationError, match=r"MAC|InfiniBand"):
        Interface.model_validate({"mac": mac})


def test_a_whole_bond_is_typed() -> None:
    bond = Bond.model_validate(
        {"members": ["eth0", "~eth1"], "mode": "802.3ad", "miimon": "100", "lacp_rate": "fast"}
    )

    assert (bond.mode, bond.miimon, bond.members) == ("802.3ad", 100, ("eth0", "~eth1"))


@pytest.mark.parametrize(
    ("model", "written"),
    [
        (Bond, {"mode": "lacp"}),
        (Vlan, {"id": "4095"}),
        (Vlan, {"id": "0"}),
        (Interface, {"mtu": "100"}),
        (Interface, {"gateway": "fd00::1"}),
        (Interface, {"type": "token-ring"}),
        (Route, {"to": "10.0.0.1/8", "via": "10.0.0.1"}),
        (Route, {"to": "default"}),
        (Bmc, {"port": "70000"}),
        (Bmc, {"driver": "telnet"}),
        (Bmc, {"username": "two words"}),
        (Bmc, {"escape": "~~"}),
        (Bmc, {"password": ""}),
    ],
)
def test_what_no_kernel_and_no_bmc_understands_is_refused(model: type[BaseModel], written: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(written)


def test_false_can_be_said_and_differs_from_nothing() -> None:
    assert Interface.model_validate({"onboot": "false"}).onboot is False
    assert Interface.model_validate({}).onboot is None
