"""One read transfer as a state machine without sockets or clocks.

Theory of operation: blocks count from 1; block 0 stands for the granted options, so that acknowledging them is
nothing special. `_acknowledged` is the last block that the client has, `_sent` the last of the current window.
On the wire numbers wrap at 65,536, here they do not. A window is sent when the one before it is acknowledged,
wholly or in part (RFC 7440 section 4), and again when the client is silent for too long.
"""

from __future__ import annotations

from collections.abc import Sequence

from provisioner.tftp.options import Terms
from provisioner.tftp.packet import Data, OptionAcknowledge

MAX_SILENCES = 6
"""How often in a row a client may be silent before it is given up: 31 s at the default timeout."""

_MAX_PAUSE = 8.0
_WRAP = 1 << 16


class Transfer:
    """Sends one content on the agreed terms; each method returns the packets to send now."""

    def __init__(self, content: bytes, terms: Terms) -> None:
        self._content = content
        self._terms = terms
        # A content that fills its last block needs an empty one after it (RFC 1350 section 6).
        self._last = len(content) // terms.block + 1
        self._acknowledged = -1 if terms.granted else 0
        self._sent = self._acknowledged
        self._silences = 0
        self._repeated = False

    @property
    def started(self) -> bool:
        """Whether the client has taken the options: many ask only for the size and break off there."""
        return self._acknowledged >= 0

    @property
    def finished(self) -> bool:
        """Whether the client has everything."""
        return self._acknowledged == self._last

    @property
    def lost(self) -> bool:
        """Whether the client was silent too often."""
        return self._silences >= MAX_SILENCES

    @property
    def progress(self) -> int:
        """How many octets the client has."""
        return min(max(self._acknowledged, 0) * self._terms.block, len(self._content))

    @property
    def pause(self) -> float:
        """Seconds to wait for the client before `silence`: doubles with each silence in a row."""
        longest = max(_MAX_PAUSE, self._terms.timeout)
        return min(self._terms.timeout * 2.0**self._silences, longest)

    def start(self) -> Sequence[Data | OptionAcknowledge]:
        """The first packets."""
        return self._window()

    def acknowledge(self, block: int) -> Sequence[Data | OptionAcknowledge]:
        """What follows the client's acknowledgement; nothing for one that is late or was never due."""
        step = (block - self._acknowledged) % _WRAP
        if step == 0:
            return self._repeat()
        if step > self._sent - self._acknowledged:
            return ()
        self._acknowledged += step
        self._silences = 0
        self._repeated = False
        return () if self.finished else self._window()

    def silence(self) -> Sequence[Data | OptionAcknowledge]:
        """The client has been silent for `pause` seconds: the window again, or nothing if it is lost."""
        self._silences += 1
        self._repeated = False
        return () if self.lost else self._window()

    def _repeat(self) -> Sequence[Data | OptionAcknowledge]:
        # In lock-step an answer to a duplicate doubles every block from there on (RFC 1123 section 4.2.3.1, the
        # sorcerer's apprentice). With a window it says that the first block of it was lost: once is enough.
        if self._terms.window == 1 or self._repeated or not self.started:
            return ()
        self._repeated = True
        return self._window()

    def _window(self) -> Sequence[Data | OptionAcknowledge]:
        if not self.started:
            self._sent = 0
            return (OptionAcknowledge(self._terms.granted),)
        first = self._acknowledged + 1
        self._sent = min(self._acknowledged + self._terms.window, self._last)
        return [self._block(number) for number in range(first, self._sent + 1)]

    def _block(self, number: int) -> Data:
        start = (number - 1) * self._terms.block
        return Data(number % _WRAP, self._content[start : start + self._terms.block])
