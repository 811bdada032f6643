"""Rendered overlays are kept by their size, not by their number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provisioner.daemon.kept import KeptOverlays, OverlayKey
from provisioner.overlay.rendered import OverlayKind, RenderedOverlay

MIB = 1 << 20


def key(number: int) -> OverlayKey:
    return OverlayKey("r", f"n{number}", OverlayKind.SYSTEM, "debian-12@1")


def overlay(size: int) -> RenderedOverlay:
    return RenderedOverlay(bytes(size), str(size))


def filled(limit: int, *sizes: int) -> KeptOverlays:
    kept = KeptOverlays(limit)
    for number, size in enumerate(sizes):
        kept.add(key(number), overlay(size))
    return kept


def numbers(kept: KeptOverlays, count: int) -> list[int]:
    return [number for number in range(count) if kept.get(key(number))]


def test_large_archives_push_each_other_out_long_before_there_are_many() -> None:
    assert numbers(filled(4 * MIB, *[MIB] * 10), 10) == [7, 8, 9]


def test_thousands_of_small_archives_are_kept() -> None:
    assert len(numbers(filled(64 * MIB, *[100] * 10_000), 10_000)) == 10_000


def test_the_one_that_was_asked_for_just_now_stays_before_others() -> None:
    kept = filled(4 * MIB, MIB, MIB, MIB)
    kept.get(key(0))

    kept.add(key(3), overlay(MIB))

    assert numbers(kept, 4) == [0, 2, 3]


def test_the_newest_one_is_kept_whatever_its_size() -> None:
    assert numbers(filled(MIB, 100, 5 * MIB), 2) == [1]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5000)), max_size=40))
def test_what_is_kept_is_what_was_added_last_and_fits(added: list[tuple[int, int]]) -> None:
    kept, last = KeptOverlays(10_000), dict[int, RenderedOverlay]()
    for number, size in added:
        last[number] = overlay(size)
        kept.add(key(number), last[number])

    found = {number: kept.get(key(number)) for number in last if kept.get(key(number))}

    assert all(found[number] is last[number] for number in found)
    assert sum(len(each.archive) for each in found.values() if each) <= 10_000
    assert not added or added[-1][0] in found


def test_an_archive_with_secrets_is_not_kept_and_pushes_out_what_was_there_before_it_had_any() -> None:
    kept = filled(MIB, 100, 100)

    kept.add(key(1), RenderedOverlay(b"tiger", "x", has_secrets=True))

    assert numbers(kept, 2) == [0]
