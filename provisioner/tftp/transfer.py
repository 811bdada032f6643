"""One read transfer as a state machine without sockets or clocks, and without the content: it deals in numbers.

Theory of operation: blocks count from 1; block 0 stands for the granted options, so that acknowledging them is
nothing special. `_acknowledged` is the last block that the client has, `_sent` the last of the current window.
On the wire numbers wrap at 65,536, here they do not. A window is sent when the one before it is acknowledged,
wholly or in part (RFC 7440 section 4), and again when the client is silent for too long.

A client answers every block that it did not expect with what it has, so each window that it gets twice makes a
window's worth of old acknowledgements. To answer those would send every window twice from there on: the
sorcerer's apprentice (RFC 1123 section 4.2.3.1) again. `_doubled` says that the client may get the window on its
way twice, `_echoing` that it still answers what went before.

Until its first acknowledgement nobody knows that the client exists: the address of a request is easily forged. So
a client that was never heard gets few repetitions.
"""

from __future__ import annotations

from provisioner.tftp.options import Terms

MAX_SILENCES = 6
"""How often in a row a client may be silent before it is given up: 31 s at the default timeout."""

MAX_UNHEARD = 4
"""The same for a client that was never heard: it gets its first packet four times, within 15 s."""

NOTHING = range(0)

_MAX_PAUSE = 8.0
_WRAP = 0xFFFF


class Transfer:
    """Which blocks of a content of `size` octets to send, on the agreed terms.

    Each method returns the numbers of the blocks to send now; 0 stands for the granted options and comes alone.
    """

    __slots__ = (
        *("_acknowledged", "_doubled", "_echoing", "_last", "_none", "_repeated", "_sent", "_silences", "_size"),
        *("_window", "terms"),
    )

    def __init__(self, size: int, terms: Terms) -> None:
        self.terms = terms
        self._size = size
        self._window = terms.window
        # A content that fills its last block needs an empty one after it (RFC 1350 section 6).
        self._last = size // terms.block + 1
        self._none = -1 if terms.granted else 0
        self._acknowledged = self._none
        self._sent = self._none
        self._silences = 0
        self._repeated = False
        self._doubled = False
        self._echoing = False

    @property
    def heard(self) -> bool:
        """Whether the client has acknowledged anything, and thereby shown that it is there."""
        return self._acknowledged > self._none

    @property
    def finished(self) -> bool:
        """Whether the client has everything."""
        return self._acknowledged == self._last

    @property
    def lost(self) -> bool:
        """Whether the client was silent too often."""
        return self._silences >= (MAX_SILENCES if self.heard else MAX_UNHEARD)

    @property
    def progress(self) -> int:
        """How many octets the client has."""
        return min(max(self._acknowledged, 0) * self.terms.block, self._size)

    @property
    def pause(self) -> float:
        """Seconds to wait for the client before `silence`: doubles with each silence in a row."""
        longest = max(_MAX_PAUSE, self.terms.timeout)
        return min(self.terms.timeout * 2.0**self._silences, longest)

    def start(self) -> range:
        """The first packets."""
        return self._next(self._acknowledged + 1)

    def acknowledge(self, block: int) -> range:
        """What follows the client's acknowledgement; nothing for one that is late or was never due."""
        before = self._acknowledged
        step = (block - before) & _WRAP
        if step == 0:
            # In lock-step it says nothing. With a window it says that the first block of it was lost.
            return NOTHING if self._window == 1 or self._echoing else self.nudge(block)
        if step > self._sent - before:
            return NOTHING
        self._acknowledged = after = before + step
        # What the client lacks of a window that went out twice is on its way already.
        first = (self._sent if self._doubled else after) + 1
        self._echoing = self._doubled or after < self._sent
        self._silences = 0
        self._repeated = self._doubled = False
        return NOTHING if after == self._last else self._next(first)

    def nudge(self, block: int) -> range:
        """The window once more for a client that repeats what it has because nothing came since; once is enough.

        In lock-step only time tells whether nothing came: the caller asks when the block was sent a while ago.
        """
        if self._repeated or not self.heard or self.finished or (block - self._acknowledged) & _WRAP:
            return NOTHING
        self._repeated = self._doubled = True
        return self._next(self._acknowledged + 1)

    def silence(self) -> range:
        """The client has been silent for `pause` seconds: the window again, or nothing if it is lost."""
        self._silences += 1
        self._repeated = False
        self._doubled = True
        return NOTHING if self.lost else self._next(self._acknowledged + 1)

    def _next(self, first: int) -> range:
        if first == 0:
            self._sent = 0
            return range(1)
        self._sent = min(self._acknowledged + self._window, self._last)
        return range(first, self._sent + 1)
