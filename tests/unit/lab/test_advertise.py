from __future__ import annotations

from provisioner.lab.accelerator import probe_sector
from provisioner.lab.advertise import advertisement


def test_the_advertisement_names_no_default_router() -> None:
    message = advertisement()

    assert (message[0], len(message), message[6:8]) == (134, 16, b"\0\0")


def test_the_probe_is_one_bootable_sector() -> None:
    assert (len(probe_sector()), probe_sector()[-2:]) == (512, b"\x55\xaa")
