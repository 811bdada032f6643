"""The boots under way: which generation and revision each one holds to, and which stage is open.

Theory of operation. A boot is opened when its script is rendered; from then on its generation and revision
never change. It passes through the stages of its tokens, script, stage1, system, and only forwards: the first
request of stage 1 closes `script`, the hand-over closes `stage1`, a failure closes both. A later boot of the
same machine ends an earlier one. A token speaks for itself, so a boot that this daemon has never seen (it was
killed before it wrote it down, or another head of the site issued it) is adopted from the claims of its token.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

from provisioner.model.boot import BootRecord, TokenStage
from provisioner.trust.token import Claims

# A machine that asks for its script again this soon has not started the kernel: it is the same boot.
RETRY_WINDOW = 60.0
# The answer to a hand-over may get lost; asking once more is no misuse.
REPEAT_WINDOW = 60.0

WAS = "was "
"""How the reason of a superseded boot begins, where its machine had come up: `was ready`."""

_CAME_UP = frozenset({"ready", "degraded", "rescue"})
_MOST_REVISIONS = 16
_ORDER = list(TokenStage)


class Ledger:
    """The newest boot of every machine. `save` is called with every new state."""

    def __init__(self, save: Callable[[BootRecord], None], known: Iterable[BootRecord] = ()) -> None:
        self._save = save
        self._by_mac: dict[str, BootRecord] = {}
        for record in sorted(known, key=lambda each: each.opened):
            self._by_mac[record.mac] = record

    def open(self, *, node: str, mac: str, generation: str, revision: str, now: float) -> BootRecord:
        """Open the boot of a machine that asks for its script, or go on with the one it asked for just now."""
        last = self._by_mac.get(mac)
        if last and self._is_retry(last, (node, generation, revision), now):
            return self.settle(last, TokenStage.SCRIPT.value, now=now)
        record = BootRecord(
            secrets.token_hex(8), node, mac, generation, revision, now, TokenStage.SCRIPT, "script", now
        )
        if last and last.state != "failed":
            self._save(_superseded(last))
        return self._keep(record)

    def leave(self, *, node: str, mac: str, revision: str, reason: str, now: float) -> BootRecord:
        """Note that a machine boots its own disk: that ends what it booted before, and no token belongs to it."""
        last = self._by_mac.get(mac)
        if last and last.state == "local" and now - last.opened < RETRY_WINDOW:
            return last
        if last and last.state not in {"failed", "local"}:
            self._save(replace(last, state="superseded"))
        return self._keep(
            BootRecord(secrets.token_hex(8), node, mac, "", revision, now, TokenStage.SYSTEM, "local", now, reason)
        )

    def current(self, mac: str) -> BootRecord | None:
        """The newest boot of a machine."""
        return self._by_mac.get(mac)

    def all(self) -> list[BootRecord]:
        """The newest boot of every machine."""
        return list(self._by_mac.values())

    def revisions(self) -> frozenset[str]:
        """The revisions that most machines hold to, sixteen at most."""
        counted = Counter(record.revision for record in self._by_mac.values())
        return frozenset(revision for revision, _ in counted.most_common(_MOST_REVISIONS))

    def find(self, claims: Claims) -> BootRecord | None:
        """The boot that genuine claims speak of, adopted when unknown; None when a later boot ended it.

        A token that was issued after the boot that is known here began is of a later one, at another head node.
        """
        record = self._by_mac.get(claims.mac)
        if record is not None and record.id == claims.boot:
            return record
        if record is not None and claims.expires - claims.stage.lifetime <= record.opened:
            return None
        if record is not None and record.state != "failed":
            self._save(_superseded(record))
        # A root may stream before stage 1 is over, and its token must not close that.
        stage = TokenStage.STAGE1 if claims.stage is TokenStage.STREAM else claims.stage
        return self._keep(
            BootRecord(
                id=claims.boot,
                node=claims.node,
                mac=claims.mac,
                generation=claims.generation,
                revision=claims.revision,
                opened=claims.expires - claims.stage.lifetime,
                stage=stage,
                state=stage.value,
                changed=claims.expires - claims.stage.lifetime,
                reason="adopted from its token",
            )
        )

    def advance(self, record: BootRecord, stage: TokenStage, *, now: float) -> BootRecord:
        """Open a later stage of a boot, which closes all earlier ones; the same stage again changes nothing."""
        if _ORDER.index(stage) <= _ORDER.index(record.stage):
            return record
        return self._keep(replace(record, stage=stage, state=stage.value, changed=now, reason=""))

    def settle(self, record: BootRecord, state: str, *, now: float, reason: str = "") -> BootRecord:
        """Note how the boot does: ready, degraded or failed, and why."""
        if (record.state, record.reason) == (state, reason):
            return record
        return self._keep(replace(record, state=state, reason=reason, changed=now))

    def _is_retry(self, last: BootRecord, wanted: tuple[str, str, str], now: float) -> bool:
        same = (last.node, last.generation, last.revision) == wanted
        return same and last.stage is TokenStage.SCRIPT and now - last.opened < RETRY_WINDOW

    def _keep(self, record: BootRecord) -> BootRecord:
        self._by_mac[record.mac] = record
        self._save(record)
        return record


def _superseded(record: BootRecord) -> BootRecord:
    """A boot that a later one ended, with what had become of it (boot.lastgood)."""
    if record.state not in _CAME_UP:
        return replace(record, state="superseded")
    reason = f"{WAS}{record.state}{f': {record.reason}' if record.reason else ''}"
    return replace(record, state="superseded", reason=reason)
