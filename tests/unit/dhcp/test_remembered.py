from __future__ import annotations

from provisioner.dhcp.remembered import Finished, Remembered, readdressed
from provisioner.dhcp.reply import Target
from provisioner.model.catalogue import Catalogue
from tests.support.packets import IPXE_BIOS, demo
from tests.support.resolved import catalogue

SITE, IMAGES = demo(), catalogue()
DONE = Finished(bytes(range(12)), Target("255.255.255.255", 68), "offer", ())


def holding(*datagrams: bytes) -> Remembered:
    remembered = Remembered()
    for data in datagrams:
        assert remembered.find(data, SITE, IMAGES) is None
        remembered.keep(data, DONE)
    return remembered


def test_the_same_question_has_the_same_answer_in_another_transaction_and_later() -> None:
    first = IPXE_BIOS.datagram(1, xid=1)
    second = IPXE_BIOS.datagram(1, xid=0x01020304)
    later = second[:8] + b"\0\x09" + second[10:]

    assert holding(first).find(later, SITE, IMAGES) is DONE
    assert readdressed(DONE.reply, later) == bytes((0, 1, 2, 3, 1, 2, 3, 4, 8, 9, 10, 11))


def test_any_other_octet_makes_another_question() -> None:
    data = IPXE_BIOS.datagram(1)
    remembered = holding(data)

    for at in (*range(4), *range(10, len(data))):
        other = data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]
        assert remembered.find(other, SITE, IMAGES) is None


def test_another_site_or_other_images_forget_everything() -> None:
    data = IPXE_BIOS.datagram(1)

    assert holding(data).find(data, demo(), IMAGES) is None
    assert holding(data).find(data, SITE, Catalogue()) is None


def test_a_flood_of_questions_pushes_out_only_what_nobody_asks_any_more() -> None:
    asked = IPXE_BIOS.datagram(1, xid=0)
    remembered = holding(asked)
    for number in range(5000):
        assert remembered.find(asked, SITE, IMAGES) is DONE
        flood = asked + number.to_bytes(4, "big")
        remembered.keep(flood, DONE)

    kept = sum(remembered.find(asked + each.to_bytes(4, "big"), SITE, IMAGES) is not None for each in range(5000))
    assert 0 < kept < 2200
