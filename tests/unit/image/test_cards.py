"""Which cards the kernel of an image has drivers for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.config.paths import Paths
from provisioner.image import store
from provisioner.image.cards import Card, CardDrivers, card_drivers
from tests.support.site import SITE, write_site
from tests.support.surveyed import surveyed

KERNEL = "5.14.0-9.el9.x86_64"
FOLDER = f"usr/lib/modules/{KERNEL}"
ALIASES = """\
# Aliases extracted from modules themselves.
alias pci:v00008086d00001572sv*sd*bc*sc*i* i40e
alias pci:v00001000d00000097sv00001028sd0000*bc*sc*i* broken
alias pci:v00001000d00000097sv*sd*bc*sc*i* mpt3sas
alias pci:v*d*sv*sd*bc0Csc03i30* xhci-odd
alias pci:v*d*sv*sd*bc0Csc03i30 xhci-pci
alias usb:v0000d*dc* none
alias only-two
"""
BUILT_IN = "nvme.license=GPL\0nvme.alias=pci:v*d*sv*sd*bc01sc08i02\0nvme.author=somebody\0"


def drivers(tmp_path: Path, files: dict[str, str]) -> CardDrivers:
    paths = write_site(tmp_path / "site", {"provisioner.yaml": SITE})
    surveyed(paths, "rocky-9", {"etc/os-release": "ID=rocky\n", **files}, kernel=KERNEL)
    return card_drivers(paths, store.find(paths, "rocky-9"))


@pytest.fixture
def known(tmp_path: Path) -> CardDrivers:
    return drivers(tmp_path, {f"{FOLDER}/modules.alias": ALIASES, f"{FOLDER}/modules.builtin.modinfo": BUILT_IN})


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("8086:1572:020000", {"i40e"}),
        ("8086:1573:020000", set()),
        ("1000:0097:010700", {"mpt3sas"}),
        ("1033:0194:0c0330", {"xhci_pci"}),
        ("144d:a808:010802", {"nvme"}),
    ],
)
def test_a_card_has_the_drivers_that_name_its_vendor_device_or_class(
    known: CardDrivers, card: str, expected: set[str]
) -> None:
    found = Card.parse(card)

    assert found is not None
    assert known.of(found) == expected
    assert known.complete


def test_a_kernel_that_does_not_say_what_is_inside_of_it_is_not_complete(tmp_path: Path) -> None:
    assert not drivers(tmp_path, {f"{FOLDER}/modules.alias": ALIASES}).complete


def test_without_a_tree_nothing_is_known(tmp_path: Path) -> None:
    paths: Paths = write_site(tmp_path / "site", {"provisioner.yaml": SITE})
    surveyed(paths, "rocky-9", {"etc/os-release": "ID=rocky\n"}, kernel=KERNEL)

    assert card_drivers(paths, store.find(paths, "rocky-9")) == CardDrivers({}, complete=False)


def test_a_card_is_printed_as_lspci_does() -> None:
    assert str(Card.parse("8086:1572:020000")) == "8086:1572"


@given(st.text(max_size=40))
def test_what_is_no_card_is_none(text: str) -> None:
    assert Card.parse(text) is None or len(text) == 16
