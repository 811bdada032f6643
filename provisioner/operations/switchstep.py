"""What follows for a switch from the boots that were seen: who is ready, who failed, and who is next. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from provisioner.model.boot import BootRecord
from provisioner.model.switch import Switch, SwitchState, folded, without

_NOBODY: Mapping[str, str] = MappingProxyType({})
_FAILED = frozenset({"failed", "degraded"})


def judge(
    switch: Switch, boots: Mapping[str, BootRecord], *, now: float, refused: Mapping[str, str] = _NOBODY
) -> Switch:
    """A running switch as it is after a look at the newest boots of its nodes.

    A node is done when its newest boot brought the new image and is ready. It has failed when that boot failed, or
    is degraded, when it is not ready in time, or when it could not be restarted (`refused` has the reasons); one
    that gets ready later is done. So many failures stop the switch; when nothing is open any more, the next nodes
    are moved, or all are. Fewer failures stop it too where nobody got ready, or nobody is left to go on with.
    """
    if switch.state is not SwitchState.RUNNING:
        return switch
    seen = {name: boots[name] for name in switch.moved if name in boots and boots[name].generation == switch.to}
    known = switch.ready
    ready = {name for name in switch.moved if name in known or _is_ready(seen.get(name))}
    late = {name: _failure(switch, seen.get(name), now) for name in switch.moved if name not in ready}
    failures = {name: late[name] or refused.get(name, "") for name in late}
    failed = {name: reason for name, reason in failures.items() if reason}
    looked = switch.model_copy(update={"done": folded(ready), "failed": failed})
    if len(failed) >= switch.pace.failures:
        return looked.model_copy(update={"state": SwitchState.STOPPED})
    if looked.unsettled:
        return looked
    if failed and not (ready and looked.waiting):
        return looked.model_copy(update={"state": SwitchState.STOPPED})
    return advance(looked, now=now)


def advance(switch: Switch, *, now: float) -> Switch:
    """With the next nodes moved: the canaries first, then batches; `moved` when nobody waits any more."""
    count = switch.pace.batch if switch.moved else switch.pace.canary
    following = switch.waiting[:count]
    if not following:
        return switch.model_copy(update={"state": SwitchState.MOVED})
    images = {**without(switch.images, following), switch.to: folded([*switch.moved, *following])}
    return switch.model_copy(update={"images": images, "since": int(now)})


def again(switch: Switch, *, now: float) -> Switch:
    """Going on after a pause, a stop or an interrupt.

    Nodes that failed get another chance, for which only boots from now on count. Where none did, the boots that
    are under way count, so that nobody is restarted in the middle of one; half of the patience is left at least.
    """
    fresh = switch.failed or switch.state is SwitchState.STOPPED
    since = int(now) if fresh else max(switch.since, int(now) - switch.pace.patience // 2)
    return switch.model_copy(update={"state": SwitchState.RUNNING, "failed": {}, "since": since})


def undone(switch: Switch, restored: Mapping[str, Iterable[str]]) -> Switch:
    """Taken back: `restored` are the images that have to be held to, with their nodes, to bring back what was."""
    images = {image: folded(nodes) for image, nodes in restored.items()}
    return switch.model_copy(update={"state": SwitchState.UNDONE, "images": images})


def _is_ready(boot: BootRecord | None) -> bool:
    return boot is not None and boot.state == "ready"


def _failure(switch: Switch, boot: BootRecord | None, now: float) -> str:
    """Why a node has failed, or nothing while there is hope. A failure of before it was moved does not count."""
    fresh = boot if boot is not None and boot.opened >= switch.since else None
    if fresh is not None and fresh.state in _FAILED:
        return f"{fresh.state}: {fresh.reason}" if fresh.reason else fresh.state
    if now - switch.since <= switch.pace.patience:
        return ""
    state = fresh.state if fresh else f"no boot of {switch.to}"
    return f"not ready after {switch.pace.patience} s: {state}"
