"""The transfers under way, by the client's address and port, and who has to go when there are too many."""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.tftp.session import End, Session
from provisioner.tftp.wire import Source


class Sessions:
    """At most `most` in all, and `most_each` for one host.

    A half-open transfer, whose client was not heard since its request, gives way to a new one: the sender of a
    request is easily forged, and an honest client acknowledges at once. Transfers that are under way never do.
    """

    def __init__(self, most: int, most_each: int) -> None:
        self._most = most
        self._most_each = most_each
        self._all: dict[Source, Session] = {}
        self._hosts: dict[str, dict[Source, Session]] = {}
        # The oldest first. Whoever is heard stays in here until the place is looked at.
        self._half_open: dict[Source, Session] = {}

    def __iter__(self) -> Iterator[Session]:
        """All of them, as they are now."""
        return iter(list(self._all.values()))

    def __len__(self) -> int:
        """How many there are."""
        return len(self._all)

    def get(self, source: Source) -> Session | None:
        """The transfer of a client's port."""
        return self._all.get(source)

    def add(self, source: Source, session: Session) -> None:
        """One more; `make_room` was asked before."""
        self._all[source] = self._half_open[source] = session
        self._hosts.setdefault(source[0], {})[source] = session

    def remove(self, source: Source) -> None:
        """One has ended."""
        del self._all[source]
        self._half_open.pop(source, None)
        own = self._hosts[source[0]]
        del own[source]
        if not own:
            del self._hosts[source[0]]

    def make_room(self, host: str) -> bool:
        """Whether there is a place for one more of this host; a half-open transfer may be ended for it."""
        own = self._hosts.get(host, {})
        if len(own) >= self._most_each:
            victim = next((each for each in own.values() if not each.transfer.heard), None)
        elif len(self._all) >= self._most:
            victim = self._oldest_half_open()
        else:
            return True
        if victim is not None:
            victim.close(End.EVICTED)
        return victim is not None

    def _oldest_half_open(self) -> Session | None:
        while self._half_open:
            source, session = next(iter(self._half_open.items()))
            if not session.transfer.heard:
                return session
            del self._half_open[source]
        return None
