from __future__ import annotations

from collections import Counter

from provisioner.lab.storm.outcome import Outcome
from provisioner.lab.storm.result import Bill, Crowded, Result


def outcome(number: int, *, ready: bool = True, causes: tuple[str, ...] = ()) -> Outcome:
    steps = {"firmware dhcp": (1.0, number / 100), "root": (2.0, number / 10)}
    return Outcome(f"n{number}", ready, float(number), steps, list(causes), Counter(tftp=1))


def result(*outcomes: Outcome, crowd: Crowded | None = None) -> Result:
    bill = Bill(front=20.0, workers=10.0, memory=300 << 20, front_memory=100 << 20, outages=(1.5,))
    return Result(outcomes, [crowd or Crowded(cpu=5.0, seconds=100.0, late=0.01)], bill, 100.0, len(outcomes))


def test_percentiles_come_from_the_nodes_that_got_ready() -> None:
    steps = list(result(*map(outcome, range(100)), outcome(9000, ready=False)).waterfall())

    root = next(row for row in steps if row["step"] == "root")
    assert (root["begins"], root["p50"], root["p90"], root["p99"], root["max"]) == (2.0, 5.0, 9.0, 9.9, 9.9)
    assert [row["step"] for row in steps] == ["firmware dhcp", "root", "whole boot"]


def test_causes_are_counted_and_the_most_frequent_is_first() -> None:
    storm = result(outcome(1, causes=("script: b",)), outcome(2, causes=("loader: a", "script: b")))

    assert storm.causes() == [{"cause": "script: b", "times": 2}, {"cause": "loader: a", "times": 1}]
    assert storm.repeats() == {"dhcp": 0, "tftp": 2, "http": 0, "resumed": 0, "waited": 0, "started": 2}


def test_a_node_that_is_not_ready_has_failed() -> None:
    storm = result(outcome(1), outcome(2, ready=False))

    assert [each.name for each in storm.failed] == ["n2"]
    assert (storm.summary()["nodes"], storm.summary()["ready"], storm.summary()["failed"]) == (2, 1, 1)


def test_clients_whose_loop_is_late_or_whose_processor_is_busy_are_called_the_bottleneck() -> None:
    assert result(outcome(1), crowd=Crowded(cpu=5.0, seconds=100.0, late=0.5)).client_was_bottleneck
    assert result(outcome(1), crowd=Crowded(cpu=95.0, seconds=100.0, late=0.01)).client_was_bottleneck
    assert not result(outcome(1)).client_was_bottleneck


def test_sizing_scales_the_measured_time_and_computes_the_link_apart() -> None:
    rows = result(*map(outcome, range(100))).sizing()

    assert [(row["nodes"], row["front"], row["workers"]) for row in rows] == [
        (100, 20.0, 10.0),
        (1_000, 200.0, 100.0),
        (10_000, 2000.0, 1000.0),
    ]
    # 1,000 nodes of 500 MiB through 10 Gbit/s: 524 GB at 1.25 GB/s.
    assert rows[1]["10gbit"] == 7.0


def test_a_storm_in_which_nobody_got_ready_has_tables_too() -> None:
    storm = result(outcome(1, ready=False, causes=("power: no answer",)))

    assert list(storm.waterfall()) == []
    assert storm.sizing()


def test_an_outcome_comes_back_from_its_line() -> None:
    before = outcome(3, causes=("loader: a",))

    assert Outcome.read(before.line()) == before
