"""Plans of moving ids: every property that makes them safe to apply to a million files."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provisioner.image.remap import Accounts, Move, Named, plan, plan_ids

NAMES = ["root", "bin", "daemon", "munge", "slurm", "nobody", "alice", "bob"]
# Few numbers, so that they meet.
NUMBERS = st.sampled_from([0, 1, 2, 201, 998, 999, 1000, 1001, 65534])
TABLES = st.lists(st.tuples(st.sampled_from(NAMES), NUMBERS), max_size=10).map(
    lambda found: tuple((name, 0 if name == "root" else number) for name, number in found)
)


def moved(table: tuple[Named, ...], by_id: dict[int, int]) -> tuple[Named, ...]:
    return tuple((name, by_id.get(number, number)) for name, number in table)


def test_a_name_gets_the_number_that_it_has_here() -> None:
    found = plan_ids([("munge", 991), ("slurm", 64030)], [("root", 0), ("munge", 998), ("slurm", 64030)])

    assert found.moves == (Move(("munge",), 998, 991),)
    assert found.clashes == ()


def test_a_name_in_the_way_goes_to_a_free_number() -> None:
    found = plan_ids([("munge", 998)], [("munge", 990), ("polkitd", 998), ("chrony", 999)])

    assert found.moves == (Move(("munge",), 990, 998), Move(("polkitd",), 998, 997, room_for="munge"))


def test_names_can_swap_and_go_round() -> None:
    here = [("a", 2000), ("b", 3000), ("c", 1000)]

    found = plan_ids(here, [("a", 1000), ("b", 2000), ("c", 3000)])

    assert found.by_id == {1000: 2000, 2000: 3000, 3000: 1000}


def test_people_get_out_of_the_way_among_people() -> None:
    found = plan_ids([("alice", 1000)], [("alice", 1001), ("bob", 1000)])

    assert found.moves[1] == Move(("bob",), 1000, 1002, room_for="alice")


def test_files_of_nobody_do_not_become_somebodys() -> None:
    found = plan_ids([("munge", 991)], [("munge", 998)], unnamed=[991])

    assert Move((), 991, 999, room_for="munge") in found.moves


def test_root_never_moves_and_nobody_becomes_root() -> None:
    found = plan_ids([("root", 5), ("toor", 0)], [("root", 0), ("toor", 500)])

    assert found.moves == ()
    assert found.clashes == ("toor cannot have 0: root has it",)


def test_names_that_share_a_number_follow_the_first() -> None:
    found = plan_ids([("ftp", 14), ("web", 15)], [("ftp", 50), ("web", 50)])

    assert found.moves == (Move(("ftp", "web"), 50, 14),)
    assert found.clashes == ("web shares 50 with ftp in the image, and goes where that goes",)


def test_two_names_that_want_one_number_are_a_clash() -> None:
    found = plan_ids([("a", 500), ("b", 500)], [("a", 600), ("b", 700)])

    assert found.by_id == {600: 500}
    assert found.clashes == ("b cannot have 500: a has it",)


def test_users_and_groups_are_planned_apart() -> None:
    here = Accounts(users=(("munge", 991),), groups=(("munge", 990),))
    there = Accounts(users=(("munge", 998),), groups=(("munge", 997), ("users", 991)))

    found = plan(here, there)

    assert (found.users.by_id, found.groups.by_id) == ({998: 991}, {997: 990})
    assert bool(found)
    assert not plan(here, here)


@given(here=TABLES, there=TABLES, unnamed=st.sets(NUMBERS))
def test_no_two_ids_become_one(here: tuple[Named, ...], there: tuple[Named, ...], unnamed: set[int]) -> None:
    by_id = plan_ids(here, there, unnamed=unnamed).by_id
    every = {number for _, number in there} | unnamed

    assert len({by_id.get(number, number) for number in every}) == len(every)
    assert 0 not in by_id


@given(here=TABLES, there=TABLES, unnamed=st.sets(NUMBERS))
def test_planning_again_moves_nothing(
    here: tuple[Named, ...], there: tuple[Named, ...], unnamed: set[int]
) -> None:
    first = plan_ids(here, there, unnamed=unnamed).by_id

    again = plan_ids(here, moved(there, dict(first)), unnamed={first.get(each, each) for each in unnamed})

    assert again.moves == ()


@given(here=TABLES, there=TABLES)
def test_without_a_clash_every_known_name_is_where_it_should_be(
    here: tuple[Named, ...], there: tuple[Named, ...]
) -> None:
    found = plan_ids(here, there)
    wanted, first = dict(reversed(here)), dict(reversed(there))
    after = dict(reversed(moved(there, dict(found.by_id))))

    if not found.clashes and len(first) == len({number for _, number in there}):
        assert all(after[name] == wanted[name] for name in after if name in wanted and first[name] != 0)


@given(here=TABLES, there=TABLES)
def test_a_free_number_is_nobodys(here: tuple[Named, ...], there: tuple[Named, ...]) -> None:
    taken = {number for _, number in (*here, *there)}

    assert all(move.new not in taken for move in plan_ids(here, there).moves if move.room_for)
