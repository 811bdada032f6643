"""Counts for the metrics."""

from __future__ import annotations

from provisioner.model.tally import Tally


def test_a_count_grows_by_what_is_added_to_it() -> None:
    tally = Tally()
    tally.add("dhcp_messages", "offer")
    tally.add("dhcp_messages", "offer", 2)

    assert tally.count("dhcp_messages", "offer") == 3


def test_labels_of_one_family_are_counted_apart() -> None:
    tally = Tally()
    tally.add("http_bytes", "root", 10)
    tally.add("http_bytes", "kernel", 5)

    assert list(tally) == [("http_bytes", "kernel", 5), ("http_bytes", "root", 10)]


def test_what_was_never_counted_is_nothing_and_is_not_listed() -> None:
    tally = Tally()

    assert tally.count("dns_answers", "none") == 0
    assert list(tally) == []
