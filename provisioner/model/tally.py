"""Counts of what a service does, for the metrics: two dictionary look-ups an addition, nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator


class Tally:
    """Numbers that only grow, each named by a family (`dhcp_messages`) and one label of it (`offer`).

    Families and labels come from the program's own words, never from a packet, so their number is bounded. The
    names of families have no prefix and no `_total`: that is the business of who prints them.
    """

    def __init__(self) -> None:
        self._counts: defaultdict[tuple[str, str], int] = defaultdict(int)

    def add(self, family: str, label: str = "", amount: int = 1) -> None:
        """Count `amount` more of a family and label."""
        self._counts[family, label] += amount

    def count(self, family: str, label: str = "") -> int:
        """What one of them stands at; 0 for what was never counted."""
        return self._counts.get((family, label), 0)

    def __iter__(self) -> Iterator[tuple[str, str, int]]:
        """Family, label and count of everything counted so far, in the order of the names."""
        # Copied first: the metrics are read in another thread than the one that counts.
        counted = list(self._counts.items())
        return iter(sorted((family, label, count) for (family, label), count in counted))
