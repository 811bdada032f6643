"""What stage 1 and the agent tell: lines of `key=value`, bounded and checked."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from provisioner.errors import ProtocolError
from provisioner.model.boot import TokenStage
from provisioner.model.event import Stage

MAX_BODY = 64 << 10
_MAX_KEYS = 64
_LINE = re.compile(r"([a-z][a-z0-9_]{0,31})=([^\x00-\x08\x0a-\x1f\x7f-\x9f]*)")
# Every event that a node may send, by the stage of its token, and the stage of the boot that it belongs to.
_STAGES = {
    TokenStage.SCRIPT: {},
    TokenStage.STAGE1: {
        "stage1.started": Stage.STAGE1,
        "disk.prepared": Stage.IMAGE,
        "disk.installed": Stage.IMAGE,
        "disk.reused": Stage.IMAGE,
        "rescue.entered": Stage.STAGE1,
        "image.verified": Stage.IMAGE,
        "overlay.applied": Stage.OVERLAY,
        "handover.done": Stage.HANDOVER,
        "failed": Stage.STAGE1,
    },
    TokenStage.SYSTEM: {
        "runtime.applied": Stage.OVERLAY,
        "runtime.failed": Stage.OVERLAY,
        "stream.local": Stage.SYSTEM,
        "system.report": Stage.SYSTEM,
    },
    TokenStage.STREAM: {},
}


@dataclass(frozen=True, slots=True)
class NodeReport:
    """One report. `uptime` is seconds since the kernel of the node started, `facts` the other lines."""

    event: str
    stage: Stage
    uptime: float
    facts: Mapping[str, str]


def parse_report(body: bytes, sender: TokenStage) -> NodeReport:
    """The report in a request body from a node in this stage. ProtocolError says which line is wrong."""
    facts = parse_facts(body)
    event = facts.pop("event", "")
    stage = _STAGES[sender].get(event)
    if stage is None:
        raise ProtocolError(f"{event[:64]!r} is not an event that a node in stage {sender} reports")
    return NodeReport(event, stage, _seconds(facts.pop("uptime", "0")), facts)


def parse_facts(body: bytes) -> dict[str, str]:
    """The lines of `key=value` in a request body. ProtocolError says which line is wrong."""
    lines = body.decode("utf-8", "replace").splitlines()
    if len(lines) > _MAX_KEYS:
        raise ProtocolError(f"a report has at most {_MAX_KEYS} lines, this one has {len(lines)}")
    return dict(_pair(line) for line in lines if line.strip())


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    # Infinity is a number for Python, and nothing that JSON can hold.
    if not 0 <= seconds < math.inf:
        raise ProtocolError("uptime is not a number of seconds")
    return seconds


def _pair(line: str) -> tuple[str, str]:
    match = _LINE.fullmatch(line)
    if not match:
        raise ProtocolError(f"{line[:64]!r} is not key=value")
    return match[1], match[2].strip()
