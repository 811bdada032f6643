"""How the boot of one simulated machine went."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Self


@dataclass
class Outcome:
    """Filled while a machine boots. `steps` has the begin since power-on and the duration of each, in seconds.

    `causes` says why boots ended early, one line for each; `counts` what was repeated: messages and fetches sent
    again (dhcp, tftp, http), transfers resumed, and seconds that the head node let images wait.
    """

    name: str
    ready: bool = False
    seconds: float = 0.0
    steps: dict[str, tuple[float, float]] = field(default_factory=dict)
    causes: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def line(self) -> str:
        """As one line of JSON."""
        return json.dumps(vars(self))

    @classmethod
    def read(cls, line: str) -> Self:
        """What `line` wrote."""
        data = json.loads(line)
        steps = {name: (begin, took) for name, (begin, took) in data.pop("steps").items()}
        counts = Counter(data.pop("counts"))
        return cls(**data, steps=steps, counts=counts)
