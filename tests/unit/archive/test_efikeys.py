"""Keys of UEFI as bytes."""

from __future__ import annotations

from uuid import UUID

import pytest

from provisioner.archive.efikeys import enrolled, signature_list
from provisioner.errors import IntegrityError

OWNER = UUID("11111111-2222-3333-4444-555555555555")
CERTIFICATE = bytes(range(200)) * 4
# The headers of OVMF_VARS_4M.fd (ovmf 2022.11): a volume, and in it a store of authenticated variables.
HEAD = bytes.fromhex(
    "000000000000000000000000000000008d2bf1ff96768b4ca9852747075b4f50"
    "00400800000000005f465648fffe04004800afb8000000028400000000100000"
    "0000000000000000782cf3aa7b949a43a1802e144ec37792b8ff03005afe0000"
    "00000000"
)
EMPTY = HEAD + b"\xff" * 8192


def test_a_signature_list_names_its_kind_its_sizes_and_its_owner() -> None:
    listed = signature_list(CERTIFICATE, OWNER)

    assert listed[:16] == UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072").bytes_le
    assert [int.from_bytes(listed[at : at + 4], "little") for at in (16, 20, 24)] == [len(listed), 0, 816]
    assert listed[28:44] == OWNER.bytes_le
    assert listed[44:] == CERTIFICATE


def test_a_store_with_keys_is_as_long_as_before_and_every_variable_begins_at_four_octets() -> None:
    store = enrolled(EMPTY, signature_list(CERTIFICATE, OWNER))
    starts = [at for at in range(len(HEAD), len(store)) if store[at : at + 3] == b"\xaa\x55\x3f"]

    assert len(store) == len(EMPTY)
    assert store[: len(HEAD)] == HEAD
    assert [at % 4 for at in starts] == [0, 0, 0, 0]
    names = [store[at + 60 : at + 64].decode("utf-16-le") for at in starts]
    assert names == ["Se", "db", "KE", "PK"]
    assert store.count(CERTIFICATE) == 3


@pytest.mark.parametrize("damaged", [b"", b"\0" * 8192, HEAD + b"\xaa\x55" + b"\xff" * 100])
def test_what_is_no_empty_store_is_left_alone(damaged: bytes) -> None:
    with pytest.raises(IntegrityError, match="no empty variable store"):
        enrolled(damaged, b"")
