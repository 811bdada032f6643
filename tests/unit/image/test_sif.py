from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import IntegrityError, ProvisionerError
from provisioner.image import sif, sifsignature
from provisioner.image.sif import Type
from tests.support.sif import MTIME, Sif

GOOD = Sif().add(0x4001, b"Bootstrap: docker\n").partition(b"hsqs" + bytes(100)).done()


def written(folder: Path, content: bytes) -> Path:
    file = folder / "toy.sif"
    file.write_bytes(content)
    return file


def test_the_objects_of_a_file_are_found(tmp_path: Path) -> None:
    found = sif.read(written(tmp_path, GOOD))
    root = found.primary()

    assert found.modified == MTIME
    assert [each.type for each in found.descriptors] == [0x4001, Type.PARTITION]
    assert root.partition == (1, 2, "linux/amd64")
    assert found.read(root, limit=1000)[:4] == b"hsqs"
    assert found.read(found.descriptors[0], limit=1000) == b"Bootstrap: docker\n"


def test_an_object_that_is_larger_than_expected_is_not_read(tmp_path: Path) -> None:
    found = sif.read(written(tmp_path, GOOD))

    with pytest.raises(IntegrityError, match="has 104 bytes"):
        found.read(found.primary(), limit=100)


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (32, b"X", "no SIF file"),
        (42, b"09\0", "version"),
        # Descriptors: how many, and where they begin.
        (88, struct.pack("<q", -1), "no room"),
        (88, struct.pack("<q", 1 << 40), "no room"),
        (96, struct.pack("<q", 1 << 40), "no room"),
        (96, struct.pack("<q", -4096), "no room"),
        # Where the second object begins, and how large it is.
        (4096 + 585 + 17, struct.pack("<q", 1 << 40), "lies outside"),
        (4096 + 585 + 17, struct.pack("<q", -1), "lies outside"),
        (4096 + 585 + 25, struct.pack("<q", 1 << 62), "lies outside"),
        (4096 + 585 + 25, struct.pack("<q", -1), "lies outside"),
    ],
)
def test_places_outside_of_the_file_are_refused(tmp_path: Path, place: int, value: bytes, reason: str) -> None:
    content = GOOD[:place] + value + GOOD[place + len(value) :]

    with pytest.raises(IntegrityError, match=reason):
        sif.read(written(tmp_path, content))


@given(st.integers(0, 6000), st.binary(min_size=1, max_size=64))
def test_any_damage_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, place: int, value: bytes) -> None:
    content = GOOD[:place] + value + GOOD[place + len(value) :]
    file = written(tmp_path_factory.mktemp("fuzz"), content)

    try:
        found = sif.read(file)
        root = found.primary()
        assert len(found.read(root, limit=1 << 20)) == root.size
        sifsignature.check(found, root, keyring=None, unsigned=True)
    except ProvisionerError:
        return


@given(st.binary(max_size=5000))
def test_any_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    with pytest.raises(IntegrityError):
        sif.read(written(tmp_path_factory.mktemp("fuzz"), content))


@given(st.binary(max_size=400))
def test_any_signature_is_judged_or_refused(tmp_path_factory: pytest.TempPathFactory, text: bytes) -> None:
    begin, end = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n", b"\n-----BEGIN PGP SIGNATURE-----\n"
    made = Sif().partition(b"hsqs").add(0x4005, begin + text + end, extra=bytes(24), link=0xF0000001)
    found = sif.read(written(tmp_path_factory.mktemp("fuzz"), made.done()))

    try:
        words = sifsignature.check(found, found.primary(), keyring=None, unsigned=False)
    except IntegrityError:
        return
    assert "cannot be verified" in words
