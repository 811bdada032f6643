from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from provisioner.dns.serial import Serials


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_one_revision_has_one_serial_also_after_a_restart(tmp_path: Path) -> None:
    first = Serials(tmp_path / "serial", Clock(1000.0))
    assert [first.of("a"), first.of("a")] == [1000, 1000]
    first.close()

    assert Serials(tmp_path / "serial", Clock(2000.0)).of("a") == 1000


def test_a_revision_that_comes_back_is_a_change(tmp_path: Path) -> None:
    serials = Serials(tmp_path / "serial", Clock(1000.0))

    assert [serials.of(each) for each in "aba"] == [1000, 1001, 1002]
    serials.close()


def test_a_clock_that_was_set_back_makes_no_serial_smaller(tmp_path: Path) -> None:
    before = Serials(tmp_path / "serial", Clock(5000.0))
    before.of("a")
    before.close()

    assert Serials(tmp_path / "serial", Clock(100.0)).of("b") == 5001


def test_a_damaged_file_leaves_it_to_the_clock(tmp_path: Path) -> None:
    (tmp_path / "serial").write_text("[1, 2")

    assert Serials(tmp_path / "serial", Clock(7000.0)).of("a") == 7000


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    serials = Serials(tmp_path / "file" / "serial", Clock(7000.0))

    assert [serials.of("a"), serials.of("b")] == [7000, 7001]
    serials.close()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 2**33)), min_size=1, max_size=20))
def test_serials_only_grow_and_fit_their_field(steps: list[tuple[str, float]]) -> None:
    clock = Clock(0.0)
    serials = Serials(Path("/dev/null/serial"), clock)
    given_out = []
    for revision, now in steps:
        clock.now = now
        given_out.append(serials.of(revision))

    assert given_out == sorted(given_out)
    assert all(0 < serial < 1 << 32 for serial in given_out)
