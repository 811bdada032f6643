"""Which loader firmware gets."""

from __future__ import annotations

import pytest

from provisioner.boot.loader import NOT_LOOKED_AT, Choice, Shelf, choose
from provisioner.model.boot import Firmware, Machine
from provisioner.model.resolved import ResolvedBoot
from provisioner.model.written import LoaderKind
from tests.support import resolved

EVERYTHING = Shelf(
    frozenset({"undionly.kpxe", "ipxe.pxe", "snponly.efi", "ipxe.efi", "shimx64.efi", "grubx64.efi"}), frozenset()
)
WITH_HTTP = Shelf(EVERYTHING.names, frozenset({"grubx64.efi"}))


def machine(firmware: Firmware, vendor: str = "PXEClient:Arch:00007:UNDI:003000") -> Machine:
    return Machine(resolved.MAC1, firmware, vendor=vendor)


def chosen(
    firmware: Firmware, *, own: LoaderKind = LoaderKind.AUTO, shelf: Shelf = EVERYTHING, step: int = 0
) -> Choice:
    node = resolved.node(boot=ResolvedBoot(loader=own))
    return choose(machine(firmware), node, shelf, said={}, step=step)


@pytest.mark.parametrize(
    ("firmware", "own", "file"),
    [
        (Firmware.BIOS, LoaderKind.AUTO, "undionly.kpxe"),
        (Firmware.BIOS, LoaderKind.IPXE, "ipxe.pxe"),
        (Firmware.EFI_X64, LoaderKind.AUTO, "snponly.efi"),
        (Firmware.EFI_X64_HTTP, LoaderKind.IPXE, "ipxe.efi"),
        (Firmware.EFI_X64, LoaderKind.SHIM, "shimx64.efi"),
        (Firmware.EFI_ARM64, LoaderKind.AUTO, "snponly-arm64.efi"),
    ],
)
def test_a_node_gets_what_is_written_for_it(firmware: Firmware, own: LoaderKind, file: str) -> None:
    assert chosen(firmware, own=own).file == file


def test_a_bios_machine_has_no_shim_and_gets_ipxe_with_the_reason() -> None:
    choice = chosen(Firmware.BIOS, own=LoaderKind.SHIM)

    assert choice == Choice("undionly.kpxe", "n001 has boot.loader=shim, which bios has no file for")


def test_a_shim_that_is_not_installed_is_nothing_to_load() -> None:
    choice = chosen(Firmware.EFI_X64, own=LoaderKind.SHIM, shelf=Shelf(frozenset({"snponly.efi", "shimx64.efi"})))

    assert choice.file is None
    assert "shimx64.efi is not on this head node" in choice.reason


def test_http_boot_gets_a_shim_only_where_its_grub_fetches_by_http() -> None:
    assert chosen(Firmware.EFI_X64_HTTP, own=LoaderKind.SHIM, shelf=WITH_HTTP).file == "shimx64.efi"
    without = chosen(Firmware.EFI_X64_HTTP, own=LoaderKind.SHIM)
    assert without.file is None
    assert "cannot fetch by HTTP" in without.reason


def test_what_came_to_no_script_is_followed_by_the_next_and_in_the_end_by_the_first() -> None:
    order = [chosen(Firmware.EFI_X64, step=step) for step in range(4)]

    assert [each.file for each in order] == ["snponly.efi", "ipxe.efi", "shimx64.efi", "snponly.efi"]
    assert order[0].reason == ""
    assert order[2].reason == "because ipxe.efi did not come to its script"


def test_only_what_can_work_has_a_turn() -> None:
    by_http = {chosen(Firmware.EFI_X64_HTTP, step=step).file for step in range(6)}
    few = {chosen(Firmware.EFI_X64, shelf=Shelf(frozenset({"ipxe.efi"})), step=step).file for step in range(3)}

    assert by_http == {"snponly.efi", "ipxe.efi"}
    assert few == {"ipxe.efi"}


def test_a_loader_that_was_named_stays_whatever_happens() -> None:
    assert {chosen(Firmware.EFI_X64, own=LoaderKind.SNPONLY, step=step).file for step in range(5)} == {
        "snponly.efi"
    }


def test_the_site_speaks_for_a_vendor_class_the_longest_one_first_and_the_node_before_it() -> None:
    said = {"PXEClient:Arch:00007": LoaderKind.SHIM, "PXEClient:Arch:00007:UNDI:003016": LoaderKind.IPXE}
    old = machine(Firmware.EFI_X64, "PXEClient:Arch:00007:UNDI:003016")
    own = resolved.node(boot=ResolvedBoot(loader=LoaderKind.SNPONLY))

    assert choose(old, None, EVERYTHING, said=said).file == "ipxe.efi"
    assert choose(machine(Firmware.EFI_X64), None, EVERYTHING, said=said).file == "shimx64.efi"
    assert choose(old, own, EVERYTHING, said=said).file == "snponly.efi"


def test_firmware_that_nobody_knows_gets_nothing() -> None:
    assert chosen(Firmware.UNKNOWN).file is None


def test_where_nobody_looked_ipxe_counts_as_there_and_a_shim_does_not() -> None:
    assert {chosen(Firmware.EFI_X64, shelf=NOT_LOOKED_AT, step=step).file for step in range(4)} == {
        "snponly.efi",
        "ipxe.efi",
    }
